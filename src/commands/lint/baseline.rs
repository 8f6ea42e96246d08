//! `--baseline` and `--update-baseline`: the file that holds findings a team lives with for now.

use std::path::{Path, PathBuf};

use miette::{Result, miette};

use crate::commands::Terminal;
use crate::file_tree;
use crate::lint::baseline::Baseline;
use crate::lint::{Report, Rule, Settings, own};
use crate::output::printable_line;
use crate::workspace::Workspace;

/// How many entries that match nothing are named.
const SHOWN: usize = 10;

/// The baseline of one run, which may judge the tree several times as fixes are applied.
pub struct Session<'a> {
    path: &'a Path,
    /// Write the file anew at the end.
    update: bool,
    /// `None` where the file is to be made.
    baseline: Option<Baseline>,
    /// What the last judgement left of it.
    shrunk: Baseline,
    /// Entries that matched nothing then.
    stale: Vec<(String, usize)>,
}

impl<'a> Session<'a> {
    /// # Errors
    /// When the file cannot be read, or is not there and is not to be made.
    pub fn open(path: &'a Path, update: bool) -> Result<Self> {
        let shown = shown(path);
        let baseline = match std::fs::read_to_string(path) {
            Ok(text) => Some(Baseline::parse(&text).map_err(|error| {
                let help = "take it from your history, or delete it and make it anew with --update-baseline";
                miette!(help = help, "cannot read the baseline {shown}: {}", printable_line(&error, 500))
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && update => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let help = "make it with --update-baseline: it then holds all that is reported now";
                return Err(miette!(help = help, "there is no baseline {shown}"));
            }
            Err(error) => return Err(miette!("cannot read the baseline {shown}: {error}")),
        };
        Ok(Self { path, update, baseline, shrunk: Baseline::default(), stale: Vec::new() })
    }

    /// Takes what the baseline holds out of a report.
    pub fn apply(&mut self, report: &mut Report, workspace: &Workspace, settings: &Settings, known: &[&'static Rule]) {
        let Some(baseline) = &self.baseline else { return };
        let findings = std::mem::take(&mut report.findings);
        // What could not be read, and a rule that failed, say nothing of what is still there.
        let unreadable = findings.iter().filter(|finding| finding.rule == &own::UNREADABLE_FILE);
        let unreadable: Vec<_> =
            unreadable.map(|finding| workspace.sources.path(finding.diagnostic.primary.at.file).to_owned()).collect();
        let asked = |id: &str, path: &str| {
            let runs = known.iter().find(|rule| rule.id == id).is_none_or(|rule| settings.runs(rule));
            let failed = report.failures.iter().any(|failure| failure.rule == id);
            runs && !failed && !unreadable.iter().any(|known| known == path)
        };
        let prefix = prefix(self.path, workspace.sources.root());
        let applied = baseline.apply(findings, workspace, &prefix, asked);
        report.findings = applied.kept;
        report.summary.baselined = applied.taken;
        (self.shrunk, self.stale) = (applied.shrunk, applied.stale);
    }

    /// Writes the file where that was asked for, else says what it holds in vain.
    pub fn finish(self, report: &mut Report, workspace: &Workspace, terminal: Terminal) -> Result<()> {
        let shown = shown(self.path);
        let Some(baseline) = &self.baseline else {
            let made = Baseline::of(&report.findings, workspace, &prefix(self.path, workspace.sources.root()));
            self.write(&made)?;
            terminal.status("Created", format!("{shown}, which holds {}", findings(made.len())));
            report.summary.baselined = made.len();
            report.findings.clear();
            return Ok(());
        };
        let gone = self.stale.iter().map(|(_, count)| count).sum();
        if self.update {
            if self.shrunk != *baseline {
                self.write(&self.shrunk)?;
                terminal.status("Updated", format!("{shown}: {} gone, {} left", findings(gone), self.shrunk.len()));
            }
        } else if gone > 0 {
            let (are, them) = if gone == 1 { ("is", "it") } else { ("are", "them") };
            terminal.warn(format!("{shown} holds {} that {are} gone: --update-baseline takes {them} out", findings(gone)));
            for (entry, count) in self.stale.iter().take(SHOWN) {
                terminal.say(format!("  {} ({count})", printable_line(entry, 200)));
            }
            if self.stale.len() > SHOWN {
                terminal.say(format!("  and {} more", self.stale.len() - SHOWN));
            }
        }
        Ok(())
    }

    fn write(&self, baseline: &Baseline) -> Result<()> {
        let written = file_tree::replace(self.path, baseline.render().as_bytes());
        written.map_err(|error| miette!("cannot write the baseline {}: {error}", shown(self.path)))
    }
}

/// The audited root as seen from the directory of the file, so that a part of a workspace can be audited with the baseline of
/// the whole. Empty where the file is elsewhere.
fn prefix(path: &Path, root: &Path) -> String {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Into::into);
    let below = parent.canonicalize().ok().and_then(|parent| root.strip_prefix(parent).ok().map(Path::to_owned));
    let below = below.map(|below| below.display().to_string().replace('\\', "/")).unwrap_or_default();
    if below.is_empty() { below } else { below + "/" }
}

/// The path may come from a file of the audited tree.
fn shown(path: &Path) -> String {
    printable_line(&path.display().to_string(), 500)
}

fn findings(count: usize) -> String {
    crate::output::human::plural(count, "finding", "findings")
}

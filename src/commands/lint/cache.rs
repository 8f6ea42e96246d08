//! What the last audit of a tree said, kept on disk: what has not changed is not audited again.
//!
//! An entry is named after what is known before the tree is looked at: where it is, what was asked, which program asks. It
//! holds the digest of the tree, and what was said of it. A tree with another digest has no entry.
//!
//! Entries stand in the cache folder of the user, not in the audited tree: an audit leaves no trace there, and a tree cannot
//! bring its own answers along.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::settings::Asked;
use crate::cli::Lint;
use crate::config::Config;
use crate::file_tree;
use crate::lint::run::Summary;
use crate::lint::{Diagnostic, Finding, Level, Report, Rule};
use crate::workspace::load::Tree;
use crate::workspace::{Location, Problem, Service, Sources, Span, Workspace};

/// All entries together take no more room; the oldest go first.
const MAX_SIZE: u64 = 64 << 20;
/// What a process that was killed left behind is older than any write takes.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The place of one tree's entry, for one way to ask.
pub struct Cache {
    file: PathBuf,
}

/// What was said of one tree.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    digest: String,
    /// Name and package: what the formats ask of a service.
    services: Vec<(String, usize)>,
    notes: Vec<Problem>,
    findings: Vec<Kept>,
    summary: Summary,
    /// Ids of the rules that ran.
    ran: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    code: String,
    level: Level,
    diagnostic: Diagnostic,
    /// Where the secret stands that must be masked: itself it is not written down. Empty where the whole place is masked.
    secret: Option<Span>,
}

impl Cache {
    /// `None` where it is not wanted, or there is no place for it, or what is asked takes the whole model of the tree.
    pub fn open(args: &Lint, asked: &Asked, config: &Config, root: &Path) -> Option<Self> {
        if args.no_cache || args.why.is_some() || args.show_services || args.show_config {
            return None;
        }
        let named = || std::env::var_os("MSVC_CACHE_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let usual = || Some(dirs::cache_dir()?.join("cargo-msvc"));
        let directory = args.cache_dir.clone().or_else(named).or_else(usual)?;
        let config = config.source.as_ref().map(|source| (&source.path, &source.text));
        let key = format!("{} {root:?} {asked:?} {config:?}", env!("CARGO_MSVC_SOURCE"));
        Some(Self { file: directory.join(format!("lint-{}.json", blake3::hash(key.as_bytes()))) })
    }

    /// What was said of just this tree.
    pub fn find(&self, tree: &mut Tree<'_>) -> Option<Entry> {
        self.read().filter(|entry| entry.digest == tree.digest().to_string())
    }

    /// Keeps what was said, for next time. Where that cannot be, next time takes longer, and that is all.
    pub fn keep(&self, workspace: &Workspace, report: &Report) {
        let Some(digest) = workspace.digest.filter(|_| report.failures.is_empty()) else { return };
        let kept = |finding: &Finding| {
            let diagnostic = finding.diagnostic.clone();
            let place = |secret: &String| place_of(&workspace.sources, diagnostic.primary.at, secret);
            let secret = diagnostic.hidden.as_ref().map(place);
            Kept { code: finding.rule.code.to_owned(), level: finding.level, diagnostic, secret }
        };
        let entry = Entry {
            digest: digest.to_string(),
            services: workspace.services.iter().map(|service| (service.name.clone(), service.package)).collect(),
            notes: workspace.notes.clone(),
            findings: report.findings.iter().map(kept).collect(),
            summary: report.summary,
            ran: report.timings.iter().map(|(id, _)| (*id).to_owned()).collect(),
        };
        let _ = self.write(&entry);
    }

    fn read(&self) -> Option<Entry> {
        let bytes = fs::read(&self.file).ok()?;
        let (head, body) = bytes.split_at_checked(blake3::OUT_LEN)?;
        let is_whole = Hash::from_slice(head).is_ok_and(|written| written == blake3::hash(body));
        serde_json::from_slice(body).ok().filter(|_| is_whole)
    }

    fn write(&self, entry: &Entry) -> std::io::Result<()> {
        let body = serde_json::to_vec(entry)?;
        let directory = self.file.parent().unwrap_or(Path::new(""));
        if !directory.exists() {
            // Inside of a repository it is nothing to commit.
            file_tree::replace(&directory.join(".gitignore"), b"*\n")?;
        }
        let mut bytes = blake3::hash(&body).as_bytes().to_vec();
        bytes.write_all(&body)?;
        // Put in place at once: whoever reads meanwhile sees the old entry or the new one.
        file_tree::replace(&self.file, &bytes)?;
        self.tidy(directory)
    }

    /// Takes away the oldest entries until the rest fits, and what killed processes left.
    fn tidy(&self, directory: &Path) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for file in fs::read_dir(directory)?.filter_map(Result::ok) {
            let name = file.file_name().to_string_lossy().into_owned();
            // Another process may have taken it away.
            let Ok((about, age)) = file.metadata().and_then(|about| Ok((about.len(), age(about.modified()?)))) else { continue };
            if name.starts_with("lint-") && name.ends_with(".json") {
                entries.push((age, about, file.path()));
            } else if name.starts_with(file_tree::UNFINISHED) && age > ABANDONED {
                let _ = fs::remove_file(file.path());
            }
        }
        entries.sort();
        let mut size = 0;
        for (_, length, path) in entries {
            size += length;
            if size > MAX_SIZE {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

impl Entry {
    /// What an audit of `tree` would give; of services, nothing but what the formats show.
    pub fn restore(self, tree: Tree<'_>, known: &[&'static Rule]) -> (Workspace, Report) {
        let mut workspace = tree.unparsed();
        workspace.notes = self.notes;
        let service = |(name, package)| Service { name, package, ..Service::default() };
        workspace.services = self.services.into_iter().map(service).collect();
        // They took no time now.
        let ran = known.iter().filter(|rule| self.ran.iter().any(|id| id == rule.id));
        let timings = ran.map(|rule| (rule.id, Duration::ZERO)).collect();
        let findings = self.findings.into_iter().filter_map(|kept| {
            let rule = known.iter().copied().find(|rule| rule.code == kept.code)?;
            let hidden = kept.secret.map(|span| text_at(&workspace.sources, kept.diagnostic.primary.at, span));
            Some(Finding { rule, level: kept.level, diagnostic: Diagnostic { hidden, ..kept.diagnostic } })
        });
        let report = Report { findings: findings.collect(), summary: self.summary, timings, ..Report::default() };
        (workspace, report)
    }
}

fn age(modified: SystemTime) -> Duration {
    modified.elapsed().unwrap_or_default()
}

/// Where a secret stands in what a finding points at; empty when it is written in another way there.
fn place_of(sources: &Sources, at: Location, secret: &str) -> Span {
    let text = sources.text(at.file).unwrap_or_default();
    let found = text.get(at.span.range()).and_then(|place| place.find(secret));
    found.map_or_else(Span::default, |found| {
        let start = at.span.start as usize + found;
        Span::new(start, start + secret.len())
    })
}

fn text_at(sources: &Sources, at: Location, span: Span) -> String {
    sources.text(at.file).and_then(|text| text.get(span.range()).map(str::to_owned)).unwrap_or_default()
}

//! `cargo msvc lint`: load, run the rules, print.

mod allow;
mod baseline;
mod cache;
mod fix;
mod git;
mod render;
mod settings;
mod show_config;
mod since;
mod why;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use colored::Colorize;
use miette::{IntoDiagnostic, Result, miette};

use self::cache::Cache;
use self::render::Rendered;
use super::{Outcome, Terminal, finish_interrupted_write, refuse};
use crate::cli::{Lint, LintFormat};
use crate::lint::{Level, Report, Rule, Selector, own};
use crate::output::{explain, notes, rules as rule_list, services};
use crate::workspace::{self, Workspace};
use crate::{config, rules};

pub fn run(args: &Lint, terminal: Terminal) -> Result<Outcome> {
    let known: Vec<&'static Rule> = own::ALL.iter().chain(rules::ALL).copied().collect();
    if let Some(name) = &args.explain {
        let rule = find_rule(name, &known)?;
        return print(|out| explain::write(out, rule, terminal.style()));
    }
    if args.list_rules {
        return match args.format {
            LintFormat::Json => print(|out| rule_list::write_json(out, &known)),
            _ => print(|out| rule_list::write_table(out, &known)),
        };
    }
    let asked = settings::asked(args, &known)?;
    let root = audited_root(&args.path)?;
    if args.fix || args.add_allow && !args.diff {
        finish_interrupted_write(&root, false, terminal)?;
    }
    let config = config::load(&root, &known).map_err(refuse)?;

    let mut clock = Clock::default();
    let load = |root: &Path| Workspace { externals: config.lint.externals.clone(), ..workspace::load(root) };
    let cache = Cache::open(args, &asked, &config, &root);
    let (mut workspace, mut remembered) = clock.time("load", || {
        let mut tree = workspace::load::look(&root);
        match cache.as_ref().and_then(|cache| cache.find(&mut tree)) {
            Some(entry) => {
                let (workspace, report) = entry.restore(tree, &known);
                (workspace, Some(report))
            }
            None => (tree.parse(), None),
        }
    });
    workspace.externals = config.lint.externals.clone();
    if workspace.packages.is_empty() {
        return Err(miette!(
            help = "name the directory of a Cargo workspace or package, or one that has some below it",
            "there is no Cargo.toml in or below {}",
            args.path.display()
        ));
    }
    if args.show_services {
        return match args.format {
            LintFormat::Json => print(|out| services::write_json(out, &workspace)),
            _ => print(|out| services::write_text(out, &workspace, terminal.verbose > 0)),
        };
    }
    if !terminal.quiet && args.format == LintFormat::Human {
        notes::write(&mut io::stderr(), &workspace, terminal.style()).into_diagnostic()?;
    }
    let baseline_file = settings::baseline(args, &config)?;
    if args.show_config {
        let settings = settings::effective(&asked, &config, &workspace, &known)?;
        let (tier_from, baseline) = (asked.tier_from(&config), baseline_file.as_deref());
        let shown = show_config::Shown { settings: &settings, tier_from, config: &config, baseline, known: &known };
        return match args.format {
            LintFormat::Json => print(|out| shown.write_json(out, &workspace)),
            _ => print(|out| shown.write_text(out, &workspace)),
        };
    }
    let mut baseline = baseline_file.as_deref().map(|path| baseline::Session::open(path, args.update_baseline)).transpose()?;
    let mut judge = |workspace: &Workspace| -> Result<Report> {
        let settings = settings::effective(&asked, &config, workspace, &known)?;
        let mut report = remembered.take().unwrap_or_else(|| {
            let report = crate::lint::run(workspace, rules::ALL, &settings);
            cache.iter().for_each(|cache| cache.keep(workspace, &report));
            report
        });
        if let Some(baseline) = &mut baseline {
            baseline.apply(&mut report, workspace, &settings, &known);
        }
        if let Some(revision) = &args.since {
            since::keep_touched(&mut report, workspace, revision)?;
        }
        Ok(report)
    };
    let mut report = clock.time("rules", || judge(&workspace))?;
    if let Some(line) = &args.why {
        let settings = settings::effective(&asked, &config, &workspace, &known)?;
        return why::run(line, workspace, &settings, &report, &known, terminal);
    }
    if args.add_allow {
        if allow::run(args, terminal, &workspace, &report)? {
            workspace = load(workspace.sources.root());
            report = judge(&workspace)?;
        }
    } else if args.fix || args.diff {
        (workspace, report) = fix::run(args, terminal, (workspace, report), load, judge)?;
    }
    if let Some(baseline) = baseline {
        baseline.finish(&mut report, &workspace, terminal)?;
    }
    if args.diff {
        return outcome(&report, args);
    }
    let rendered = Rendered { report: &report, workspace: &workspace, known: &known };
    clock.time("render", || rendered.save(&args.output, terminal).and_then(|()| rendered.print(args.format, terminal)))?;
    if terminal.verbose > 0 {
        clock.phases.splice(..1, workspace.timings.iter().copied());
        clock.show(&report, terminal);
    }
    let outcome = outcome(&report, args);
    // The process ends, and with it goes all that a big tree takes: piece by piece it would take as long as to walk the tree.
    std::mem::forget(workspace);
    outcome
}

/// Findings at `deny` make the exit code 1, unless that is not wanted; a rule that failed makes it 2, whatever the others found.
fn outcome(report: &Report, args: &Lint) -> Result<Outcome> {
    if let Some(failure) = report.failures.first() {
        let names: Vec<_> = report.failures.iter().map(|failure| failure.rule).collect();
        return Err(miette!(
            help = "this is a fault of cargo-msvc: please report it with the command and, if you can, the file; --ignore leaves the rule out",
            "the rule {} failed, its findings are missing: {}",
            names.join(", "),
            failure.message
        ));
    }
    Ok(if report.count(Level::Deny) > 0 && !args.exit_zero { Outcome::Found } else { Outcome::Clean })
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).into_diagnostic(),
        _ => Ok(Outcome::Clean),
    }
}

fn audited_root(path: &Path) -> Result<PathBuf> {
    let root = path.canonicalize().map_err(|error| miette!("cannot audit {}: {error}", path.display()))?;
    if !root.is_dir() {
        let help = "name the directory that holds it";
        return Err(miette!(help = help, "cannot audit {}: it is not a directory", path.display()));
    }
    Ok(root)
}

fn find_rule(name: &str, known: &[&'static Rule]) -> Result<&'static Rule> {
    match Selector::parse(name, known) {
        Ok(Selector::Rule(rule)) => Ok(rule),
        Ok(Selector::Practice(practice)) => {
            let ids: Vec<_> = known.iter().filter(|rule| rule.practice == Some(practice)).map(|rule| rule.id).collect();
            Err(miette!(help = format!("its rules: {}", ids.join(", ")), "`{name}` is a practice, --explain takes a rule"))
        }
        Ok(Selector::All) => Err(miette!(help = "`--list-rules` lists all rules", "--explain takes a rule")),
        Err(unknown) => Err(miette!(help = unknown.help(), "`{name}` is no rule")),
    }
}

/// How long each phase took.
#[derive(Default)]
struct Clock {
    phases: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn time<T>(&mut self, phase: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.phases.push((phase, started.elapsed()));
        result
    }

    /// On standard error, so that standard output stays what it is without `-v`; each rule's own time at `-vv`.
    fn show(&self, report: &Report, terminal: Terminal) {
        let phases: Vec<_> = self.phases.iter().map(|(phase, took)| format!("{phase} {took:.1?}")).collect();
        terminal.say(format!("{} {}", terminal.paint_stderr("timing".dimmed()), phases.join(", ")));
        if terminal.verbose > 1 {
            let mut timings = report.timings.clone();
            timings.retain(|(_, took)| !took.is_zero());
            timings.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
            timings.iter().for_each(|(rule, took)| terminal.say(format!("  {took:>9.1?}  {rule}")));
        }
    }
}

//! Runs rules over a workspace and makes one report of what they say.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::settings::Place;
use super::{Check, Diagnostic, Level, Rule, Settings, own, suppress};
use crate::workspace::{FileId, Workspace, rust};

/// What a rule found, at the level the settings give it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static Rule,
    /// `Warn` or `Deny`.
    pub level: Level,
    pub diagnostic: Diagnostic,
}

/// A rule that panicked: a fault of ours. The other rules' findings stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub rule: &'static str,
    pub message: String,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By path, span and code; no two alike.
    pub findings: Vec<Finding>,
    /// By rule.
    pub failures: Vec<Failure>,
    pub summary: Summary,
    /// Time that each rule took, in the order given. Not part of any deterministic output.
    pub timings: Vec<(&'static str, Duration)>,
}

/// What the run looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub files: usize,
    pub packages: usize,
    pub services: usize,
    /// Findings that comments allow.
    pub allowed: usize,
    /// Findings that the baseline holds.
    pub baselined: usize,
    /// Findings that no change touches, where only those are asked for.
    pub unchanged: usize,
}

/// Runs `rules` over `workspace`. The report depends on these three alone: not on threads, time or the order of rules.
pub fn run(workspace: &Workspace, rules: &[&'static Rule], settings: &Settings) -> Report {
    let known: Vec<&'static Rule> = own::ALL.iter().chain(rules).copied().collect();
    // Worked out before the rules ask for it all at once: a thread of theirs that waits for parts of the answer would take up
    // another rule meanwhile, which waits for the whole.
    workspace.running();
    let outcomes: Vec<_> = rules
        .par_iter()
        // One by one: some take far longer than others.
        .with_max_len(1)
        .filter(|rule| settings.runs(rule))
        .map(|&rule| {
            let started = Instant::now();
            let outcome = check(rule, workspace);
            (rule, outcome, started.elapsed())
        })
        .collect();

    let mut report = Report::default();
    let mut sink = Sink { workspace, settings, findings: Vec::new() };
    for problem in workspace.problems.iter().cloned().chain(workspace.rust.iter().flat_map(rust::late_problems)) {
        let help = problem.help.clone().unwrap_or_else(|| "mend the file; what cannot be read is not audited".to_owned());
        sink.add(&own::UNREADABLE_FILE, Diagnostic::new(&problem.message, problem.location, "stopped here").help(help));
    }
    for (rule, outcome, took) in outcomes {
        report.timings.push((rule.id, took));
        match outcome {
            Ok(diagnostics) => diagnostics.into_iter().for_each(|diagnostic| sink.add(rule, diagnostic)),
            Err(message) => report.failures.push(Failure { rule: rule.id, message }),
        }
    }
    let mut findings = std::mem::take(&mut sink.findings);
    let asked = |rule: &'static Rule, file| can_speak(workspace, settings, rule, file);
    let allowed =
        suppress::apply(&workspace.directives, &known, &asked, &mut findings, &mut |rule, diagnostic| sink.add(rule, diagnostic));
    findings.append(&mut sink.findings);
    sort(workspace, &mut findings);

    report.failures.sort_by_key(|failure| failure.rule);
    report.findings = findings;
    report.summary = Summary {
        files: workspace.sources.len(),
        packages: workspace.packages.len(),
        services: workspace.services.len(),
        allowed,
        ..Summary::default()
    };
    report
}

/// What one rule says of everything, or the message of its panic.
pub(super) fn check(rule: &Rule, workspace: &Workspace) -> Result<Vec<Diagnostic>, String> {
    let run = || {
        let mut out = Vec::new();
        match rule.check {
            Check::Workspace(check) => check(workspace, &mut out),
            Check::Service(check) => {
                for service in &workspace.services {
                    let first = out.len();
                    check(workspace, service, &mut out);
                    out[first..].iter_mut().for_each(|diagnostic| diagnostic.service = Some(service.name.clone()));
                }
            }
            Check::Engine => {}
        }
        out
    };
    // Rules are pure: a panic leaves nothing half changed behind.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("it panicked").to_owned()
    })
}

/// The one place where a diagnostic gets its level, or is dropped.
struct Sink<'w> {
    workspace: &'w Workspace,
    settings: &'w Settings,
    findings: Vec<Finding>,
}

impl Sink<'_> {
    fn add(&mut self, rule: &'static Rule, diagnostic: Diagnostic) {
        let level = self.settings.level(rule, place(self.workspace, self.settings, &diagnostic));
        if level > Level::Allow {
            self.findings.push(Finding { rule, level, diagnostic });
        }
    }
}

/// Whether `rule` may report something in `file`, of whichever of its package's services.
fn can_speak(workspace: &Workspace, settings: &Settings, rule: &Rule, file: FileId) -> bool {
    if !settings.differ() {
        return settings.runs(rule);
    }
    let package = workspace.package_about(None, file);
    let of_package = workspace.services.iter().filter(|service| Some(service.package) == package);
    let mut services: Vec<Option<&str>> = of_package.map(|service| Some(service.name.as_str())).collect();
    if services.is_empty() {
        services.push(None);
    }
    let path = Some(workspace.sources.path(file));
    services.into_iter().any(|service| settings.level(rule, Place { package, service, path }) > Level::Allow)
}

/// What levels of a diagnostic may differ by; nothing where none do.
pub(super) fn place<'a>(workspace: &'a Workspace, settings: &Settings, diagnostic: &'a Diagnostic) -> Place<'a> {
    if !settings.differ() {
        return Place::default();
    }
    let (service, file) = (diagnostic.service.as_deref(), diagnostic.primary.at.file);
    Place { package: workspace.package_about(service, file), service, path: Some(workspace.sources.path(file)) }
}

fn sort(workspace: &Workspace, findings: &mut Vec<Finding>) {
    findings.sort_by_cached_key(|finding| {
        let at = finding.diagnostic.primary.at;
        (workspace.sources.path(at.file).to_owned(), at.span, finding.rule.code, finding.diagnostic.message.clone())
    });
    let mut seen = BTreeSet::new();
    findings.retain(|finding| {
        let diagnostic = &finding.diagnostic;
        seen.insert((finding.rule.code, diagnostic.primary.at, diagnostic.message.clone()))
    });
}

impl Report {
    /// Number of findings at a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

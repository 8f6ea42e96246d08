//! `--why`: what became of one line. Every rule is asked, whatever its level; what it found, looked at and spared is told.

use std::collections::{BTreeMap, BTreeSet};

use super::run::{check, place};
use super::{Diagnostic, Finding, Level, Rule, Settings, suppress};
use crate::workspace::trace::Trace;
use crate::workspace::{FileId, Span, Workspace};

/// What became of one line.
#[derive(Debug, Default)]
pub struct Answer {
    pub found: Vec<(Diagnostic, Verdict)>,
    /// Rules that looked at something on the line and found nothing, and what decided, as far as that is recorded.
    pub looked: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

/// What a rule found on the line, and what was made of it.
#[derive(Debug)]
pub struct Verdict {
    pub rule: &'static Rule,
    pub level: Level,
    /// Who sets the level.
    pub origin: String,
    pub fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    Reported,
    /// Its level is `allow`.
    Silent,
    /// By a comment, whose text this is, at this place.
    Allowed(String, crate::workspace::Location),
    /// By the baseline, or because no change touches it.
    LeftOut,
}

/// Asks all of `rules`, one after the other. `reported` is what a usual run reports.
pub fn ask(
    workspace: &mut Workspace,
    rules: &[&'static Rule],
    settings: &Settings,
    reported: &[Finding],
    file: FileId,
    line: Span,
) -> Answer {
    workspace.running();
    workspace.trace = Some(Box::new(Trace::new(file, line)));
    let workspace = &*workspace;
    let touches = |at: crate::workspace::Location| {
        at.file == file && at.span.start <= line.end && at.span.end.max(at.span.start + 1) > line.start
    };
    let mut answer = Answer::default();
    for &rule in rules {
        if let Some(trace) = &workspace.trace {
            trace.runs(rule.id);
        }
        // A rule that fails is told of by the usual run.
        for diagnostic in check(rule, workspace).unwrap_or_default() {
            let places = std::iter::once(&diagnostic.primary).chain(&diagnostic.related);
            if !places.map(|label| label.at).any(touches) {
                continue;
            }
            let (level, origin) = settings.decide(rule, place(workspace, settings, &diagnostic));
            let allowed = suppress::allowing(&workspace.directives, rules, rule, diagnostic.primary.at);
            let is_reported = || reported.iter().any(|known| known.rule == rule && known.diagnostic == diagnostic);
            let fate = match allowed {
                _ if level == Level::Allow => Fate::Silent,
                Some(directive) => Fate::Allowed(directive.text.clone(), directive.at),
                None if is_reported() => Fate::Reported,
                None => Fate::LeftOut,
            };
            let verdict = Verdict { rule, level, origin: origin.to_owned(), fate };
            answer.found.push((diagnostic, verdict));
        }
    }
    let found: BTreeSet<&str> = answer.found.iter().map(|(_, verdict)| verdict.rule.id).collect();
    for look in workspace.trace.iter().flat_map(|trace| trace.looks()) {
        if !look.rule.is_empty() && !found.contains(look.rule) {
            answer.looked.entry(look.rule).or_default().extend(look.spared);
        }
    }
    answer
}

//! GitLab's Code Quality report: a JSON array that `artifacts:reports:codequality` takes.

use std::io::{self, Write};

use serde::Serialize;

use super::{Texts, json};
use crate::lint::identity::Identities;
use crate::lint::{Level, Practice, Report};
use crate::workspace::Workspace;

#[derive(Serialize)]
struct Issue<'a> {
    r#type: &'static str,
    check_name: &'a str,
    description: String,
    categories: [&'static str; 1],
    severity: &'static str,
    fingerprint: String,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// Writes the array and a line break. `prefix` is the audited root relative to the repository's, which is what GitLab counts
/// paths from; empty when they are the same.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace, prefix: &str) -> io::Result<()> {
    let texts = Texts::below(&workspace.sources, prefix);
    let mut identities = Identities::new(&workspace.sources);
    let issues = report.findings.iter().map(|finding| {
        let diagnostic = &finding.diagnostic;
        let place = texts.place(diagnostic.primary.at);
        Issue {
            r#type: "issue",
            check_name: finding.rule.id,
            description: format!("{} ({})", diagnostic.message, finding.rule.code),
            categories: [if finding.rule.practice == Some(Practice::Security) { "Security" } else { "Bug Risk" }],
            severity: if finding.level == Level::Deny { "major" } else { "minor" },
            fingerprint: identities.fingerprint(finding),
            location: Location {
                path: texts.shown_path(diagnostic.primary.at),
                lines: Lines { begin: place.start.line, end: place.end.line },
            },
        }
    });
    json::pretty(out, &issues.collect::<Vec<_>>())
}

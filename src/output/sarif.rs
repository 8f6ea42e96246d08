//! SARIF 2.1.0, for code scanning. Only what we say is modelled; the published schema is held by a test.

use std::io::{self, Write};

use serde::Serialize;

use super::{Texts, json};
use crate::lint::identity::Identities;
use crate::lint::{Confidence, Edit, Failure, Finding, Fix, Label, Level, Practice, Report, Rule};
use crate::workspace::{Location, Workspace};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'static str,
    invocations: [Invocation<'a>; 1],
    results: Vec<SarifResult<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    version: &'static str,
    rules: Vec<ReportingDescriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor<'a> {
    id: &'a str,
    name: &'a str,
    short_description: Text<'a>,
    full_description: Text<'a>,
    help: Help,
    default_configuration: Configuration,
    properties: RuleProperties<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties<'a> {
    tags: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
struct Notification<'a> {
    level: &'static str,
    message: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Text<'a>,
    locations: [SarifLocation<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<SarifLocation<'a>>,
    partial_fingerprints: Fingerprints,
    rank: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixes: Option<[SarifFix<'a>; 1]>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifFix<'a> {
    description: Text<'a>,
    artifact_changes: Vec<ArtifactChange<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange<'a> {
    artifact_location: ArtifactLocation,
    replacements: [Replacement<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    deleted_region: Region,
    inserted_content: Text<'a>,
}

#[derive(Serialize)]
struct Fingerprints {
    /// Survives changes elsewhere in the file: rule, path, the line's own text, and which of several alike.
    #[serde(rename = "ruleAndLine/v1")]
    rule_and_line: String,
}

#[derive(Serialize)]
struct ResultProperties<'a> {
    confidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    evidence: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLocation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

/// Writes the log and a line break. `rules` is the table of all rules that could have spoken; `prefix` is the audited root
/// relative to the repository's, which is what code scanning counts paths from; empty when they are the same.
pub fn write(
    out: &mut dyn Write,
    report: &Report,
    workspace: &Workspace,
    rules: &[&'static Rule],
    prefix: &str,
) -> io::Result<()> {
    let texts = Texts::below(&workspace.sources, prefix);
    let mut identities = Identities::new(&workspace.sources);
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "cargo-msvc",
                    version: env!("CARGO_PKG_VERSION"),
                    rules: rules.iter().map(|rule| descriptor(rule)).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            invocations: [Invocation {
                execution_successful: report.failures.is_empty(),
                tool_execution_notifications: report.failures.iter().map(notification).collect(),
            }],
            results: report.findings.iter().map(|finding| result(finding, rules, &texts, &mut identities)).collect(),
        }],
    };
    json::pretty(out, &log)
}

fn descriptor(rule: &Rule) -> ReportingDescriptor<'_> {
    let why = rule.section("Why is this bad?").unwrap_or_default();
    ReportingDescriptor {
        id: rule.code,
        name: rule.id,
        short_description: Text { text: rule.summary().into() },
        full_description: Text { text: if why.is_empty() { rule.summary().into() } else { why.into() } },
        help: Help { text: rule.page(), markdown: rule.page() },
        default_configuration: Configuration { level: level(rule.level) },
        properties: RuleProperties { tags: rule.practice.into_iter().map(Practice::id).collect() },
    }
}

fn notification(failure: &Failure) -> Notification<'_> {
    Notification { level: "error", message: Text { text: format!("rule {} failed: {}", failure.rule, failure.message).into() } }
}

fn result<'a>(
    finding: &'a Finding,
    rules: &[&'static Rule],
    texts: &Texts<'a>,
    identities: &mut Identities<'_>,
) -> SarifResult<'a> {
    let diagnostic = &finding.diagnostic;
    let mut message = diagnostic.message.clone();
    if !diagnostic.help.is_empty() {
        message = format!("{message}. Help: {}", diagnostic.help);
    }
    let related = diagnostic.related.iter().enumerate().map(|(index, label)| location(label, Some(index + 1), texts));
    SarifResult {
        rule_id: finding.rule.code,
        rule_index: rules.iter().position(|rule| *rule == finding.rule).unwrap_or(0),
        level: level(finding.level),
        message: Text { text: message.into() },
        locations: [location(&diagnostic.primary, None, texts)],
        related_locations: related.collect(),
        partial_fingerprints: Fingerprints { rule_and_line: identities.fingerprint(finding) },
        rank: match diagnostic.confidence {
            Confidence::High => 90.0,
            Confidence::Medium => 60.0,
            Confidence::Low => 30.0,
        },
        fixes: diagnostic.fix.as_ref().map(|fix| [sarif_fix(fix, texts)]),
        properties: ResultProperties {
            confidence: diagnostic.confidence.id(),
            service: diagnostic.service.as_deref(),
            evidence: &diagnostic.evidence,
        },
    }
}

fn sarif_fix<'a>(fix: &'a Fix, texts: &Texts<'a>) -> SarifFix<'a> {
    let change = |edit: &'a Edit| ArtifactChange {
        artifact_location: artifact(edit.at, texts),
        replacements: [Replacement {
            deleted_region: region(edit.at, texts),
            inserted_content: Text { text: edit.text.as_str().into() },
        }],
    };
    SarifFix { description: Text { text: fix.title.as_str().into() }, artifact_changes: fix.edits.iter().map(change).collect() }
}

fn artifact(at: Location, texts: &Texts<'_>) -> ArtifactLocation {
    ArtifactLocation { uri: percent_encode(&texts.shown_path(at)), uri_base_id: "%SRCROOT%" }
}

fn region(at: Location, texts: &Texts<'_>) -> Region {
    let place = texts.place(at);
    Region {
        start_line: place.start.line,
        start_column: place.start.column,
        end_line: place.end.line,
        end_column: place.end.column,
    }
}

fn location<'a>(label: &'a Label, id: Option<usize>, texts: &Texts<'a>) -> SarifLocation<'a> {
    SarifLocation {
        id,
        physical_location: PhysicalLocation { artifact_location: artifact(label.at, texts), region: region(label.at, texts) },
        message: (!label.text.is_empty()).then(|| Text { text: label.text.as_str().into() }),
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "none",
    }
}

/// A relative path as a URI reference (RFC 3986): everything but unreserved characters and `/` is encoded.
pub(super) fn percent_encode(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(percent_encode("a b/ü#?.rs"), "a%20b/%C3%BC%23%3F.rs");
    }
}

//! One document, schema `cargo-msvc/lint/1` (`docs/schema/lint-1.json`). Deterministic to the byte.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Texts;
use super::terminal::{COMMANDS, is_hostile};
use crate::lint::{Finding, Fix, Level, Practice, Report};
use crate::workspace::{Location, Workspace};

pub const SCHEMA: &str = "cargo-msvc/lint/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    findings: Vec<JsonFinding<'a>>,
    summary: JsonSummary<'a>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    rule: &'a str,
    code: &'a str,
    /// `null` for what the engine itself reports.
    practice: Option<&'a str>,
    level: &'a str,
    confidence: &'a str,
    service: Option<&'a str>,
    message: &'a str,
    help: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
    related: Vec<JsonRelated<'a>>,
    evidence: &'a [String],
    /// What mends it; `null` where no program can.
    fix: Option<JsonFix<'a>>,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    title: &'a str,
    /// `safe`: the program means the same after it, but for the fault; `unsafe`: look at it.
    applicability: &'a str,
    /// All or none of them.
    edits: Vec<JsonEdit<'a>>,
}

#[derive(Serialize)]
struct JsonEdit<'a> {
    #[serde(flatten)]
    place: JsonPlace<'a>,
    /// What replaces the text at the place.
    text: &'a str,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct JsonRelated<'a> {
    message: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

#[derive(Serialize)]
struct JsonSummary<'a> {
    findings: usize,
    deny: usize,
    warn: usize,
    allowed: usize,
    baselined: usize,
    unchanged: usize,
    files: usize,
    packages: usize,
    services: usize,
    by_practice: BTreeMap<&'a str, usize>,
    by_service: BTreeMap<&'a str, usize>,
    by_rule: BTreeMap<&'a str, usize>,
    /// Rules that failed: their findings are missing.
    failed_rules: Vec<&'a str>,
}

/// Writes the document and a line break.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    let document = Document {
        schema: SCHEMA,
        findings: report.findings.iter().map(|finding| json_finding(finding, &texts)).collect(),
        summary: json_summary(report),
    };
    pretty(out, &document)
}

/// One finding a line, for streams: what stands in `findings` of the document.
pub fn write_lines(out: &mut dyn Write, report: &Report, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    report.findings.iter().try_for_each(|finding| line(out, &json_finding(finding, &texts)))
}

/// A document over many lines, and a line break.
pub fn pretty(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(Escaping(out), document)?;
    writeln!(out)
}

/// A document on one line, and a line break.
pub(super) fn line(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(Escaping(out), document)?;
    writeln!(out)
}

/// Writes as `\u…` what JSON may hold raw and a terminal or a CI server's log must not see: control characters from U+007F on,
/// what reorders or hides text, commands to a runner. All of it stands inside strings, so the document means the same.
struct Escaping<'w>(&'w mut dyn Write);

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The serializer writes whole characters, and what stands between two escapes at once.
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().any(is_hostile) || COMMANDS.iter().any(|command| text.contains(command)) => {
                let text = COMMANDS
                    .iter()
                    .fold(text.to_owned(), |text, command| text.replace(command, &command.replace('[', "\\u005b")));
                for c in text.chars() {
                    match c {
                        c if is_hostile(c) => write!(self.0, "\\u{:04x}", u32::from(c))?,
                        c => write!(self.0, "{c}")?,
                    }
                }
            }
            _ => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn json_finding<'a>(finding: &'a Finding, texts: &Texts<'a>) -> JsonFinding<'a> {
    let diagnostic = &finding.diagnostic;
    JsonFinding {
        rule: finding.rule.id,
        code: finding.rule.code,
        practice: finding.rule.practice.map(Practice::id),
        level: finding.level.id(),
        confidence: diagnostic.confidence.id(),
        service: diagnostic.service.as_deref(),
        message: &diagnostic.message,
        help: &diagnostic.help,
        place: json_place(diagnostic.primary.at, texts),
        related: diagnostic
            .related
            .iter()
            .map(|label| JsonRelated { message: &label.text, place: json_place(label.at, texts) })
            .collect(),
        evidence: &diagnostic.evidence,
        fix: diagnostic.fix.as_ref().map(|fix| json_fix(fix, texts)),
    }
}

fn json_fix<'a>(fix: &'a Fix, texts: &Texts<'a>) -> JsonFix<'a> {
    let edits = fix.edits.iter().map(|edit| JsonEdit { place: json_place(edit.at, texts), text: &edit.text });
    JsonFix { title: &fix.title, applicability: fix.applicability.id(), edits: edits.collect() }
}

fn json_place<'a>(at: Location, texts: &Texts<'a>) -> JsonPlace<'a> {
    let place = texts.place(at);
    JsonPlace {
        file: texts.path(at),
        line: place.start.line,
        column: place.start.column,
        end_line: place.end.line,
        end_column: place.end.column,
    }
}

fn json_summary(report: &Report) -> JsonSummary<'_> {
    let count_by = |key: &dyn Fn(&'_ Finding) -> Option<&str>| {
        let mut counts = BTreeMap::new();
        report.findings.iter().filter_map(key).for_each(|key| *counts.entry(key).or_insert(0) += 1);
        counts
    };
    JsonSummary {
        findings: report.findings.len(),
        deny: report.count(Level::Deny),
        warn: report.count(Level::Warn),
        allowed: report.summary.allowed,
        baselined: report.summary.baselined,
        unchanged: report.summary.unchanged,
        files: report.summary.files,
        packages: report.summary.packages,
        services: report.summary.services,
        by_practice: count_by(&|finding| finding.rule.practice.map(Practice::id)),
        by_service: count_by(&|finding| finding.diagnostic.service.as_deref()),
        by_rule: count_by(&|finding| Some(finding.rule.id)),
        failed_rules: report.failures.iter().map(|failure| failure.rule).collect(),
    }
}

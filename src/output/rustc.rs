//! What `cargo check --message-format=json` prints: compiler messages, so that rust-analyzer (`check.overrideCommand`) and every
//! other tool that reads Cargo's shows findings where they stand, with their fixes.

use std::io::{self, Write};

use serde::Serialize;

use super::{Texts, concise, json};
use crate::lint::{Applicability, Edit, Finding, Fix, Label, Level, Report};
use crate::workspace::manifest::{Package, TargetKind};
use crate::workspace::{Location, Workspace};

/// A line of Cargo's output.
#[derive(Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message<'a> {
    CompilerMessage { package_id: String, manifest_path: String, target: Target<'a>, message: Box<Diagnostic> },
    BuildFinished { success: bool },
}

/// The crate that a message is said to be of: a finding is about a package, so this is that package's first.
#[derive(Serialize)]
struct Target<'a> {
    kind: [&'static str; 1],
    crate_types: [&'static str; 1],
    name: &'a str,
    src_path: String,
    edition: &'a str,
    doc: bool,
    doctest: bool,
    test: bool,
}

#[derive(Serialize)]
struct Diagnostic {
    #[serde(rename = "$message_type")]
    message_type: &'static str,
    message: String,
    code: Option<Code>,
    level: &'static str,
    spans: Vec<Span>,
    children: Vec<Diagnostic>,
    rendered: Option<String>,
}

#[derive(Serialize)]
struct Code {
    code: String,
    explanation: Option<&'static str>,
}

#[derive(Serialize)]
struct Span {
    file_name: String,
    byte_start: u32,
    byte_end: u32,
    line_start: u32,
    line_end: u32,
    column_start: u32,
    column_end: u32,
    is_primary: bool,
    /// The lines, in which a reader counts columns; none where one holds a secret.
    text: Vec<Line>,
    label: Option<String>,
    suggested_replacement: Option<String>,
    suggestion_applicability: Option<&'static str>,
    expansion: Option<()>,
}

#[derive(Serialize)]
struct Line {
    text: String,
    highlight_start: u32,
    highlight_end: u32,
}

/// Writes one line a finding, and a last one that says whether the audit passed.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    let printer = Printer { workspace, texts };
    for finding in &report.findings {
        let package = workspace.package_about(finding.diagnostic.service.as_deref(), finding.diagnostic.primary.at.file);
        // A finding outside of every package, about a compose file say, still has to be said of one.
        match package.map(|index| &workspace.packages[index]).or(workspace.packages.first()) {
            Some(package) => json::line(out, &printer.message(finding, package))?,
            // As rustc prints it when Cargo does not run it.
            None => json::line(out, &printer.diagnostic(finding))?,
        }
    }
    json::line(out, &Message::BuildFinished { success: report.count(Level::Deny) == 0 && report.failures.is_empty() })
}

struct Printer<'w> {
    workspace: &'w Workspace,
    texts: Texts<'w>,
}

impl<'w> Printer<'w> {
    fn message(&self, finding: &Finding, package: &'w Package) -> Message<'w> {
        Message::CompilerMessage {
            package_id: self.package_id(package),
            manifest_path: self.absolute(self.workspace.sources.path(package.manifest).as_str()),
            target: self.target(package),
            message: Box::new(self.diagnostic(finding)),
        }
    }

    fn absolute(&self, path: &str) -> String {
        self.workspace.sources.root().join(path).display().to_string()
    }

    /// As Cargo writes it: the package's directory as a URL, its name where that is not the directory's, and its version.
    fn package_id(&self, package: &Package) -> String {
        let directory = self.absolute(package.directory.as_str());
        let directory = directory.trim_end_matches('/');
        let name = if directory.rsplit('/').next() == Some(&package.name) { String::new() } else { format!("{}@", package.name) };
        let version = package.version.as_deref().unwrap_or("0.0.0");
        format!("path+file://{}#{name}{version}", super::sarif::percent_encode(directory))
    }

    fn target(&self, package: &'w Package) -> Target<'w> {
        let first = package.targets.first();
        let (kind, crate_type) = match first.map_or(TargetKind::Lib, |target| target.kind) {
            TargetKind::Lib => ("lib", "lib"),
            TargetKind::ProcMacro => ("proc-macro", "proc-macro"),
            TargetKind::Bin => ("bin", "bin"),
            TargetKind::Test => ("test", "bin"),
            TargetKind::Example => ("example", "bin"),
            TargetKind::Bench => ("bench", "bin"),
            TargetKind::BuildScript => ("custom-build", "bin"),
        };
        let root = first.map_or(self.workspace.sources.path(package.manifest).as_str(), |target| target.root.as_str());
        Target {
            kind: [kind],
            crate_types: [crate_type],
            name: first.map_or(package.name.as_str(), |target| target.name.as_str()),
            src_path: self.absolute(root),
            edition: &package.edition,
            doc: false,
            doctest: false,
            test: false,
        }
    }

    fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        let said = &finding.diagnostic;
        let hidden = said.hidden.is_some();
        let mut spans = vec![self.label(&said.primary, true, hidden)];
        spans.extend(said.related.iter().map(|label| self.label(label, false, hidden)));
        let mut children = Vec::new();
        if !said.help.is_empty() {
            children.push(child(said.help.clone(), Vec::new()));
        }
        if let Some(fix) = &said.fix {
            children.push(self.fix(fix, hidden));
        }
        let mut rendered = concise::line(finding, &self.texts) + "\n";
        if !said.help.is_empty() {
            rendered += &format!("  help: {}\n", super::terminal::printable_line(&said.help, 1000));
        }
        Diagnostic {
            message_type: "diagnostic",
            message: said.message.clone(),
            // Readers take what stands before `::` for the tool's name.
            code: Some(Code { code: format!("msvc::{}", finding.rule.id), explanation: None }),
            level: finding.level.severity(),
            spans,
            children,
            rendered: Some(rendered),
        }
    }

    fn label(&self, label: &Label, is_primary: bool, hidden: bool) -> Span {
        let text = Some(label.text.clone()).filter(|text| !text.is_empty());
        Span { is_primary, label: text, ..self.span(label.at, hidden) }
    }

    fn fix(&self, fix: &Fix, hidden: bool) -> Diagnostic {
        let applicability = match fix.applicability {
            Applicability::Safe => "MachineApplicable",
            Applicability::Unsafe => "MaybeIncorrect",
        };
        let span = |edit: &Edit| Span {
            is_primary: true,
            suggested_replacement: Some(edit.text.clone()),
            suggestion_applicability: Some(applicability),
            ..self.span(edit.at, hidden)
        };
        child(fix.title.clone(), fix.edits.iter().map(span).collect())
    }

    fn span(&self, at: Location, hidden: bool) -> Span {
        let place = self.texts.place(at);
        Span {
            // A reader joins it to the directory that it started the command in, which need not be the audited root.
            file_name: self.absolute(self.texts.path(at)),
            byte_start: at.span.start,
            byte_end: at.span.end,
            line_start: place.start.line,
            line_end: place.end.line,
            column_start: place.start.column,
            column_end: place.end.column,
            is_primary: false,
            text: if hidden { Vec::new() } else { self.lines(at) },
            label: None,
            suggested_replacement: None,
            suggestion_applicability: None,
            expansion: None,
        }
    }

    fn lines(&self, at: Location) -> Vec<Line> {
        let (text, place) = (self.texts.text(at.file), self.texts.place(at));
        let line = |number: u32| {
            let line = &text.text[text.line_range(number as usize - 1)];
            let end = u32::try_from(line.chars().count() + 1).unwrap_or(u32::MAX);
            Line {
                text: line.to_owned(),
                highlight_start: if number == place.start.line { place.start.column } else { 1 },
                highlight_end: if number == place.end.line { place.end.column } else { end },
            }
        };
        (place.start.line..=place.end.line).map(line).collect()
    }
}

fn child(message: String, spans: Vec<Span>) -> Diagnostic {
    Diagnostic { message_type: "diagnostic", message, code: None, level: "help", spans, children: Vec::new(), rendered: None }
}

//! `--why FILE:LINE`: which rules looked at a line, and what decided.

use std::path::Path;

use cargo_metadata::camino::Utf8Path;
use miette::{Result, miette};

use super::print;
use crate::commands::{Outcome, Terminal};
use crate::lint::{Report, Rule, Settings, why};
use crate::output::why as shown;
use crate::workspace::{FileId, Location, Span, Workspace};

/// # Errors
/// When the line is not one of the audit.
pub fn run(
    asked: &str,
    mut workspace: Workspace,
    settings: &Settings,
    report: &Report,
    known: &[&'static Rule],
    terminal: Terminal,
) -> Result<Outcome> {
    let (path, number) = parse(asked).ok_or_else(|| {
        miette!(help = "write it as findings are shown: services/orders/src/main.rs:12", "--why: `{asked}` is no FILE:LINE")
    })?;
    let file = find(&workspace, path).ok_or_else(|| {
        let help = "paths count from the audited directory; what .gitignore names, and kinds of files that say nothing of services, are not read";
        miette!(help = help, "--why: the audit reads no file `{path}`")
    })?;
    let text = workspace.sources.text(file).unwrap_or_default();
    let lines = text.split_inclusive('\n').scan(0, |start, line| {
        let span = Span::new(*start, *start + line.trim_end_matches(['\n', '\r']).len());
        *start += line.len();
        Some(span)
    });
    let span = lines.into_iter().nth(number - 1);
    let span = span.ok_or_else(|| miette!("--why: `{path}` has {} lines", text.lines().count()))?;
    let about = about(&workspace, file, span);
    let answer = why::ask(&mut workspace, known, settings, &report.findings, file, span);
    print(|out| shown::write(out, &answer, &workspace, Location::new(file, span), &about, terminal.style()))
}

/// `path:line`, also with a column behind it, as findings are shown.
fn parse(asked: &str) -> Option<(&str, usize)> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let (path, last) = asked.rsplit_once(':')?;
    match path.rsplit_once(':').and_then(|(path, line)| Some((path, number(line)?))) {
        Some(found) if number(last).is_some() => Some(found),
        _ => Some((path, number(last)?)),
    }
}

/// From the audited root, else from the working directory.
fn find(workspace: &Workspace, path: &str) -> Option<FileId> {
    let from_here = || {
        let whole = Path::new(path).canonicalize().ok()?;
        let below = whole.strip_prefix(workspace.sources.root()).ok()?;
        workspace.sources.find(Utf8Path::from_path(below)?)
    };
    workspace.sources.find(path.trim_start_matches("./").into()).or_else(from_here)
}

/// What a line is part of.
fn about(workspace: &Workspace, file: FileId, line: Span) -> Vec<String> {
    let mut about = Vec::new();
    if let Some(package) = workspace.package_about(None, file) {
        about.push(format!("package {}", workspace.packages[package].name));
    }
    if let Some(index) = workspace.rust.iter().position(|facts| facts.file == file) {
        let starts_here = |span: Span| line.start <= span.start && span.start <= line.end;
        let code = workspace.nodes_of(index, |_| true).find(|node| starts_here(node.at().span));
        about.push(match code.map(|code| (code.why_unshipped(), workspace.run_by(code))) {
            Some((Some(why), _)) => format!("no rule about code looks here: {why}"),
            Some((None, Some(service))) => format!("the service {} runs it", service.name),
            Some((None, None)) => "no service runs it".to_owned(),
            None => "no expression starts here, or it is in a module of tests, at which no rule looks".to_owned(),
        });
    }
    about
}

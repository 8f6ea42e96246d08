//! One line a finding, for editors, `grep` and logs: `path:line:column: level[rule] message`.

use std::io::{self, Write};

use super::Texts;
use super::terminal::printable_line;
use crate::lint::{Finding, Report};
use crate::workspace::Workspace;

/// Longer messages are cut: a line stays a line on any terminal.
const LONGEST: usize = 1000;

/// Writes the lines; nothing where nothing was found.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    report.findings.iter().try_for_each(|finding| writeln!(out, "{}", line(finding, &texts)))
}

pub(super) fn line(finding: &Finding, texts: &Texts) -> String {
    let at = finding.diagnostic.primary.at;
    let start = texts.place(at).start;
    let path = printable_line(texts.path(at), LONGEST);
    let message = printable_line(&finding.diagnostic.message, LONGEST);
    format!("{path}:{}:{}: {}[{}] {message}", start.line, start.column, finding.level.severity(), finding.rule.id)
}

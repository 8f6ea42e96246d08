//! Checkstyle's XML, which many review tools read: findings by file.

use std::io::{self, Write};

use super::Texts;
use super::xml::escape;
use crate::lint::{Finding, Report};
use crate::workspace::Workspace;

/// Writes the document.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    // Readers tell dialects apart by the version; 4.3 is the one that other linters write.
    writeln!(out, "<checkstyle version=\"4.3\">")?;
    for of_file in report.findings.chunk_by(|a, b| a.diagnostic.primary.at.file == b.diagnostic.primary.at.file) {
        let path = escape(texts.path(of_file[0].diagnostic.primary.at));
        writeln!(out, "  <file name=\"{path}\">")?;
        of_file.iter().try_for_each(|finding| writeln!(out, "    {}", error(finding, &texts)))?;
        writeln!(out, "  </file>")?;
    }
    writeln!(out, "</checkstyle>")
}

fn error(finding: &Finding, texts: &Texts) -> String {
    let diagnostic = &finding.diagnostic;
    let start = texts.place(diagnostic.primary.at).start;
    let help = if diagnostic.help.is_empty() { String::new() } else { format!("\nhelp: {}", diagnostic.help) };
    format!(
        "<error line=\"{}\" column=\"{}\" severity=\"{}\" message=\"{}\" source=\"{}\"/>",
        start.line,
        start.column,
        finding.level.severity(),
        escape(&format!("{}{help}", diagnostic.message)),
        escape(&format!("msvc.{}", finding.rule.id)),
    )
}

//! GitHub workflow commands: annotations on the lines of a pull request.

use std::io::{self, Write};

use super::Texts;
use super::terminal::printable;
use crate::lint::{Level, Report};
use crate::workspace::Workspace;

/// Writes one command a finding. `prefix` is the audited root relative to the repository's, which is what GitHub counts paths
/// from; empty when they are the same.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace, prefix: &str) -> io::Result<()> {
    let texts = Texts::below(&workspace.sources, prefix);
    for finding in &report.findings {
        let diagnostic = &finding.diagnostic;
        let place = texts.place(diagnostic.primary.at);
        let path = texts.shown_path(diagnostic.primary.at);
        let command = if finding.level == Level::Deny { "error" } else { "warning" };
        // GitHub takes columns only where both ends stand on one line.
        let columns = if place.start.line == place.end.line {
            format!(",col={},endColumn={}", place.start.column, place.end.column)
        } else {
            String::new()
        };
        let message = if diagnostic.help.is_empty() {
            diagnostic.message.clone()
        } else {
            format!("{}\nhelp: {}", diagnostic.message, diagnostic.help)
        };
        writeln!(
            out,
            "::{command} file={},line={},endLine={}{columns},title={}::{}",
            escape_property(&path),
            place.start.line,
            place.end.line,
            escape_property(&format!("{} {}", finding.rule.code, finding.rule.id)),
            escape_data(&message),
        )?;
    }
    Ok(())
}

/// What stands after `::`: a raw line break would end the command, and what follows would be read as the next one.
fn escape_data(text: &str) -> String {
    // A log shows the command to a terminal: escape sequences are taken out, carriage returns with them.
    printable(text).replace('%', "%25").replace('\n', "%0A")
}

/// The value of a property, which `,` and `:` would end too.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        for (text, data, property) in [
            ("plain é", "plain é", "plain é"),
            ("a%0Ab", "a%250Ab", "a%250Ab"),
            ("a\r\n::error::b", "a?%0A::error::b", "a?%0A%3A%3Aerror%3A%3Ab"),
            ("\u{1b}[2Ja\u{9b}1m", "?[2Ja¿1m", "?[2Ja¿1m"),
            ("x,line=1:2", "x,line=1:2", "x%2Cline=1%3A2"),
        ] {
            assert_eq!((escape_data(text).as_str(), escape_property(text).as_str()), (data, property));
        }
    }
}

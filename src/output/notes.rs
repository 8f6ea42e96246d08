//! What limits an audit without being a fault of what is audited. Goes beside the report, not into it.

use std::io::{self, Write};

use colored::Colorize;

use super::Style;
use super::terminal::{printable_line, wrap};
use crate::workspace::Workspace;

/// Longest note, in characters: some quote what Cargo said.
const MAX_NOTE: usize = 400;

/// Writes each note with its place.
pub fn write(out: &mut dyn Write, workspace: &Workspace, style: Style) -> io::Result<()> {
    for note in &workspace.notes {
        let path = printable_line(workspace.sources.path(note.location.file).as_str(), 200);
        let help = note.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let text = printable_line(&format!("{path}: {}{help}", note.message), MAX_NOTE);
        for (index, line) in wrap(&text, style.width - 6).iter().enumerate() {
            let lead = if index == 0 { "note: ".cyan() } else { "      ".normal() };
            writeln!(out, "{lead}{line}")?;
        }
    }
    Ok(())
}

//! A plan as a unified diff.

use std::fmt::Write as _;

use colored::Colorize as _;
use similar::{ChangeTag, TextDiff};

use cargo_metadata::camino::Utf8Path;

use super::{FileTree, PlannedFile};

const CONTEXT_LINES: usize = 3;

impl FileTree {
    /// What writing would change, in the form that `patch -p1` takes, colored when stdout is.
    pub fn diff(&self) -> String {
        self.diff_shown(&str::to_owned)
    }

    /// The same with each line of the files as `shown` makes it: a terminal must not see them raw.
    pub fn diff_shown(&self, shown: &dyn Fn(&str) -> String) -> String {
        let unified = |(path, file): (&Utf8Path, &PlannedFile)| {
            unified(&shown(path.as_str()), file.replaces.as_deref(), &file.contents, shown)
        };
        self.changes().map(unified).collect()
    }
}

/// One file's diff; `old` is `None` for a new file.
fn unified(path: &str, old: Option<&[u8]>, new: &[u8], shown: &dyn Fn(&str) -> String) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match old {
        Some(_) => writeln!(text, "{}", format!("--- a/{path}").bold()),
        None => writeln!(text, "{}", "--- /dev/null".bold()),
    };
    let _ = writeln!(text, "{}", format!("+++ b/{path}").bold());
    let (old, new) = (String::from_utf8_lossy(old.unwrap_or_default()), String::from_utf8_lossy(new));
    let diff = TextDiff::from_lines(&*old, &*new);
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        let _ = writeln!(text, "{}", hunk.header().to_string().cyan());
        for change in hunk.iter_changes() {
            let line = format!("{}{}", change.tag(), shown(change.value().trim_end_matches('\n')));
            let _ = match change.tag() {
                ChangeTag::Delete => writeln!(text, "{}", line.red()),
                ChangeTag::Insert => writeln!(text, "{}", line.green()),
                ChangeTag::Equal => writeln!(text, "{line}"),
            };
            if change.missing_newline() {
                let _ = writeln!(text, "\\ No newline at end of file");
            }
        }
    }
    text
}

//! `cargo msvc lint --fix`: apply what the rules offer, round by round, until nothing more can be mended.

use std::path::Path;

use miette::Result;

use crate::cli::Lint;
use crate::commands::Terminal;
use crate::lint::{Applicability, Report, fix};
use crate::output::printable_line;
use crate::workspace::{self, Workspace};

/// A fix may uncover the next finding, or two may want the same place: after this many rounds they only chase each other.
const MAX_ROUNDS: usize = 5;

/// A tree and what was found in it.
pub type Audit = (Workspace, Report);

/// Applies fixes as `args` ask for it; `load` reads the tree anew, `judge` says what is found in it. Returns what is left.
///
/// # Errors
/// When a file changes meanwhile or the disk refuses: the files are then as before the round.
pub fn run(
    args: &Lint,
    terminal: Terminal,
    first: Audit,
    load: impl Fn(&Path) -> Workspace,
    mut judge: impl FnMut(&Workspace) -> Result<Report>,
) -> Result<Audit> {
    let applicability = if args.unsafe_fixes { Applicability::Unsafe } else { Applicability::Safe };
    let (mut workspace, mut report) = first;
    for _ in 0..MAX_ROUNDS {
        let complaint = |file, text: &str| workspace::load::complaint(workspace.sources.path(file), text);
        let planned = fix::plan(&workspace.sources, &report.findings, applicability, complaint);
        for (file, why) in &planned.refused {
            let path = printable_line(workspace.sources.path(*file).as_str(), 200);
            terminal.warn(format!("{path} is left as it is: {}", printable_line(why, 500)));
        }
        if args.diff {
            terminal.print_diff(&planned.tree)?;
            terminal.status("Would mend", findings(planned.mended.len()));
            break;
        }
        if planned.tree.is_empty() {
            break;
        }
        let written = planned.tree.write(workspace.sources.root())?;
        terminal.status("Mended", format!("{} in {}", findings(planned.mended.len()), files(written.len())));
        workspace = load(workspace.sources.root());
        report = judge(&workspace)?;
    }
    Ok((workspace, report))
}

fn findings(count: usize) -> String {
    format!("{count} finding{}", if count == 1 { "" } else { "s" })
}

fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}

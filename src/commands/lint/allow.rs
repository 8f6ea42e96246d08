//! `--add-allow`: writes comments that allow what is reported.

use miette::{Result, miette};

use crate::cli::Lint;
use crate::commands::Terminal;
use crate::lint::{Finding, Report, allow};
use crate::output::human::plural;
use crate::output::{Texts, printable_line};
use crate::workspace::Workspace;

/// Writes the comments, or shows them with `--diff`. Whether the tree is to be read anew: something was written.
///
/// # Errors
/// When the reason is none, or the disk refuses.
pub fn run(args: &Lint, terminal: Terminal, workspace: &Workspace, report: &Report) -> Result<bool> {
    let given = args.reason.as_deref().unwrap_or_default();
    let reason = allow::reason(given).map_err(|why| miette!("--reason: {why}"))?;
    let planned = allow::plan(workspace, &report.findings, reason);
    let texts = Texts::new(&workspace.sources);
    for (index, why) in &planned.left {
        let Finding { rule, diagnostic, .. } = &report.findings[*index];
        let at = diagnostic.primary.at;
        let path = printable_line(texts.path(at), 200);
        terminal.warn(format!("{path}:{}: {} stays: {why}", texts.place(at).start.line, rule.id));
    }
    let findings = plural(planned.allowed, "finding", "findings");
    if args.diff {
        terminal.print_diff(&planned.tree)?;
        terminal.status("Would allow", findings);
        return Ok(false);
    }
    let written = planned.tree.write(workspace.sources.root())?;
    if !written.is_empty() {
        terminal.status("Allowed", format!("{findings} in {}", plural(written.len(), "file", "files")));
    }
    Ok(!written.is_empty())
}

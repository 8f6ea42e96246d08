//! The report in the formats asked for: one on standard output, others whole in files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic as _, Result, miette};

use super::print;
use crate::cli::{LintFormat, OutputFile};
use crate::commands::Terminal;
use crate::file_tree;
use crate::lint::{Report, Rule};
use crate::output::human::Options;
use crate::output::{Style, checkstyle, concise, github, gitlab, human, json, junit, rustc, sarif};
use crate::workspace::Workspace;

/// A report and what the formats need to know beside it.
pub struct Rendered<'a> {
    pub report: &'a Report,
    pub workspace: &'a Workspace,
    /// All rules that could have spoken.
    pub known: &'a [&'static Rule],
}

impl Rendered<'_> {
    /// Prints one format on standard output.
    pub fn print(&self, format: LintFormat, terminal: Terminal) -> Result<()> {
        let options = Options { style: terminal.style(), quiet: terminal.quiet, verbose: terminal.verbose > 0 };
        print(|out| self.write(out, format, options)).map(drop)
    }

    /// Writes the files, each whole or not at all. Files are plain text, whatever the terminal can show.
    pub fn save(&self, files: &[OutputFile], terminal: Terminal) -> Result<()> {
        for OutputFile { format, path } in files {
            let mut bytes = Vec::new();
            let style = Style { unicode: true, ..terminal.style() };
            let options = Options { style, quiet: false, verbose: terminal.verbose > 0 };
            terminal.without_color(|| self.write(&mut bytes, *format, options)).into_diagnostic()?;
            file_tree::replace(path, &bytes).map_err(|error| miette!("--output: cannot write {}: {error}", path.display()))?;
        }
        Ok(())
    }

    fn write(&self, out: &mut dyn Write, format: LintFormat, options: Options) -> io::Result<()> {
        let Self { report, workspace, known } = *self;
        let prefix = |variable| repository_prefix(workspace.sources.root(), variable);
        match format {
            LintFormat::Human => human::write(out, report, workspace, options),
            LintFormat::Concise => concise::write(out, report, workspace),
            LintFormat::Json => json::write(out, report, workspace),
            LintFormat::Jsonl => json::write_lines(out, report, workspace),
            LintFormat::Sarif => sarif::write(out, report, workspace, known, &prefix("GITHUB_WORKSPACE")),
            LintFormat::Github => github::write(out, report, workspace, &prefix("GITHUB_WORKSPACE")),
            LintFormat::Gitlab => gitlab::write(out, report, workspace, &prefix("CI_PROJECT_DIR")),
            LintFormat::Junit => junit::write(out, report, workspace, known),
            LintFormat::Checkstyle => checkstyle::write(out, report, workspace),
            LintFormat::RustcJson => rustc::write(out, report, workspace),
        }
    }
}

/// The audited root as a CI server counts paths: from the repository it checked out, which `variable` names. Empty when they
/// are the same, or elsewhere.
fn repository_prefix(root: &Path, variable: &str) -> String {
    let repository = std::env::var_os(variable).and_then(|path| PathBuf::from(path).canonicalize().ok());
    let prefix = repository.and_then(|repository| root.strip_prefix(repository).ok().map(Path::to_owned));
    prefix.map(|prefix| prefix.display().to_string().replace('\\', "/")).unwrap_or_default()
}

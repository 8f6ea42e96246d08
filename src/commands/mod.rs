//! Each command: gather, call, render.

pub mod demo;
pub mod deploy_manifests;
pub mod lint;
pub mod man;
pub mod new;
pub mod terminal;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};
use miette::{NamedSource, miette};

use crate::cli::{Cli, Command};
use crate::output::{printable, printable_line};
use crate::{config, file_tree};
pub use terminal::{Terminal, print};

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Clean,
    /// Exit code 1: findings, or files that differ.
    Found,
}

/// The whole program: parses `arguments` (the first is the program), runs the command, prints its error.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = without_subcommand_name(arguments);
    let parsed = Cli::command().color(color_wish(&arguments)).try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let terminal = Terminal::set_up(&cli.global);
    let result = match cli.command {
        Command::New(args) => new::run(&args, terminal),
        Command::Lint(args) => lint::run(&args, terminal),
        Command::DeployManifests(args) => deploy_manifests::run(&args, terminal),
        Command::Demo(args) => demo::run(&args, terminal),
        Command::Completions { shell } => completions(shell),
        Command::Man => man::run(),
    };
    match result {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(report) => {
            // Nobody is left to tell when stderr itself is gone.
            let _ = writeln!(std::io::stderr(), "{report:?}");
            ExitCode::from(2)
        }
    }
}

/// Cargo runs `cargo msvc new` as `cargo-msvc msvc new`.
fn without_subcommand_name(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "msvc") {
        arguments.remove(1);
    }
    arguments
}

/// `--color`, for what clap prints before anything is parsed: help and usage errors.
fn color_wish(arguments: &[OsString]) -> ColorChoice {
    let mut words = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(word) = words.next() {
        let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
        match value {
            Some("always") => return ColorChoice::Always,
            Some("never") => return ColorChoice::Never,
            _ => {}
        }
    }
    ColorChoice::Auto
}

fn completions(shell: clap_complete::Shell) -> miette::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cargo-msvc", &mut script);
    print(script)?;
    Ok(Outcome::Clean)
}

/// A mistake in a configuration as a terminal may show it: its text is part of the audited tree.
fn refuse(error: config::LoadError) -> miette::Report {
    match error {
        config::LoadError::Invalid(error) => {
            let config::ConfigError { message, source_code, span, label, help } = *error;
            let name = printable_line(source_code.name(), 500);
            let source_code = NamedSource::new(name, printable(source_code.inner()));
            let (message, help) = (printable_line(&message, 500), help.map(|help| printable_line(&help, 2000)));
            miette::Report::new(config::ConfigError { message, source_code, span, label, help })
        }
        error => error.into(),
    }
}

/// Completes a write that an earlier run was killed in, before anything is read that it changes. A run that only looks
/// (`--dry-run`, `--diff`, `--check`) is refused instead: what it would see is neither the old tree nor the new one.
fn finish_interrupted_write(root: &Path, only_looks: bool, terminal: Terminal) -> miette::Result<()> {
    if only_looks && file_tree::interrupted(root) {
        return Err(miette!(
            help = "run the command without --dry-run, --diff and --check: it completes that write first",
            "an earlier run was killed while it wrote in `{}`",
            root.display()
        ));
    }
    if !only_looks {
        for path in file_tree::recover(root)? {
            terminal.status("Completed", format!("{path}, which an interrupted run had left"));
        }
    }
    Ok(())
}

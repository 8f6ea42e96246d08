//! The pages under `docs/`: the command line as its declarations have it, and a way to every page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cargo_msvc::cli::Cli;
use clap::{Arg, Command, CommandFactory as _};
use walkdir::WalkDir;

const FRONT: &str = "docs/README.md";
const COMMANDS: &str = "docs/commands.md";

#[test]
fn the_page_of_commands_follows_their_declarations() {
    let mut command = Cli::command();
    command.build();
    let mut page = String::from(
        "# Commands\n\nGenerated from the declarations in `src/cli.rs`; `cargo msvc help COMMAND` says the same.\n\n",
    );
    let about = command.get_long_about().or(command.get_about()).unwrap_or_default().to_string();
    writeln!(page, "{}\n\nOptions of every command:\n", escaped(&about)).unwrap();
    page += &table(command.get_arguments().filter(|arg| arg.is_global_set()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        page += &section(sub);
    }
    let path = root().join(COMMANDS);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(&written, &page).unified_diff().header(COMMANDS, "declared").to_string();
    assert!(written == page, "{diff}\nBLESS=1 writes the page");
}

/// Each page can be reached from the front page, directly or from one that it leads to.
#[test]
fn every_page_can_be_reached() {
    let front = root().join(FRONT).canonicalize().unwrap();
    let (mut seen, mut open) = (vec![front.clone()], vec![front]);
    while let Some(page) = open.pop().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).filter(|link| !link.contains("://"))
        {
            let target = page.parent().unwrap().join(link);
            let target = target.canonicalize().unwrap_or_else(|error| panic!("{} links to {link}: {error}", page.display()));
            if !link.is_empty() && target.is_file() && !seen.contains(&target) {
                seen.push(target.clone());
                open.insert(0, target);
            }
        }
        open.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    }
    let files =
        WalkDir::new(root().join("docs")).into_iter().map(|entry| entry.unwrap()).filter(|entry| entry.file_type().is_file());
    let lost: Vec<_> = files.map(|entry| entry.path().canonicalize().unwrap()).filter(|page| !seen.contains(page)).collect();
    assert!(lost.is_empty(), "no way from {FRONT} to {lost:?}");
}

/// A command: what it is for, how it is written, its arguments under the headings of its help.
fn section(command: &Command) -> String {
    let mut section = format!("\n## {}\n\n", command.get_bin_name().unwrap_or(command.get_name()));
    let about = command.get_long_about().or(command.get_about()).unwrap_or_default().to_string();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(section, "{}\n\n```text\n{usage}\n```", escaped(&about)).unwrap();
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set()).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in own.iter().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        let under = own.iter().copied().filter(|arg| arg.get_help_heading() == heading && arg.get_id() != "help");
        writeln!(section, "\n{}:\n", heading.unwrap_or("Arguments and options")).unwrap();
        section += &table(under);
    }
    if let Some(examples) = command.get_after_long_help().or(command.get_after_help()) {
        let examples = examples.to_string();
        let lines: Vec<&str> = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let (title, lines) = lines.split_first().expect("a title");
        writeln!(section, "\n{title}\n\n```text\n{}\n```", lines.join("\n")).unwrap();
    }
    section
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let mut table = String::from("| | |\n|---|---|\n");
    for arg in arguments {
        let help = arg.get_long_help().or(arg.get_help()).unwrap_or_default().to_string();
        let mut text = escaped(&help.split_whitespace().collect::<Vec<_>>().join(" "));
        let is_choice = arg.get_action().takes_values() && !arg.is_hide_possible_values_set();
        let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
        if is_choice && !values.is_empty() {
            let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
            write!(text, "; {}", names.join(", ")).unwrap();
        }
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        if arg.get_action().takes_values() && !defaults.is_empty() {
            write!(text, " (default {})", defaults.join(", ")).unwrap();
        }
        writeln!(table, "| `{}` | {text} |", name(arg)).unwrap();
    }
    table
}

/// An argument as it is written: `--since <REV>`.
fn name(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_value_names().unwrap_or_default().iter().map(|value| format!("<{value}>")).collect();
    let values = if arg.get_action().takes_values() { values.join(" ") } else { String::new() };
    let flags = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => String::new(),
    };
    [flags, values].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

/// Help as Markdown takes it.
fn escaped(help: &str) -> String {
    help.replace('|', "\\|").replace('<', "\\<")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

//! The manual page: one for the program and all its subcommands.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Outcome;
use super::terminal::print;
use crate::cli::Cli;

pub fn run() -> miette::Result<Outcome> {
    let page = page(Cli::command()).map_err(|error| miette::miette!("cannot write the manual page: {error}"))?;
    print(page)?;
    Ok(Outcome::Clean)
}

/// The page in roff. Each subcommand is a section of it; options that all of them share stand once.
fn page(mut command: Command) -> io::Result<Vec<u8>> {
    command.build();
    let mut page = Vec::new();
    let subcommands: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()).collect();
    let man = Man::new(command.clone().mut_subcommands(|sub| sub.hide(true)));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in subcommands {
        let own = subcommand.clone().mut_args(|arg| if is_shared(&arg) { arg.hide(true) } else { arg });
        let man = Man::new(own);
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        page.extend_from_slice(format!(".SH \"CARGO MSVC {}\"\n", subcommand.get_name().to_uppercase()).as_bytes());
        // Every render call starts with the same two lines that define the apostrophe.
        let lines = String::from_utf8_lossy(&section);
        for line in lines.lines().filter(|line| !line.contains(".ds Aq")) {
            page.extend_from_slice(line.replace(".SH ", ".SS ").as_bytes());
            page.push(b'\n');
        }
    }
    Ok(page)
}

fn is_shared(arg: &clap::Arg) -> bool {
    arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version")
}

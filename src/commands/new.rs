//! `cargo msvc new`: plan services and their surroundings, write them, say what to do next.
//!
//! - [`ask`]: what a terminal is asked, where the command line names nothing.
//! - [`wish`]: what is asked for, and what of it goes together; [`system`]: the same from a file, for many.
//! - [`place`]: where it goes; [`plan`]: which files it becomes there.
//! - [`report`]: what is said of it.

mod ask;
mod git;
mod place;
mod plan;
mod report;
mod system;
mod wish;

use std::path::{Path, PathBuf};

use miette::miette;

use self::place::Place;
use self::plan::{Planned, plan};
use self::wish::{Wish, Words, parse_name};
use super::{Outcome, Terminal, finish_interrupted_write, print};
use crate::cli::{New, NewFormat};
use crate::file_tree::FileTree;
use crate::scaffold::{Callee, LONGEST_CALLEE};

pub fn run(args: &New, terminal: Terminal) -> miette::Result<Outcome> {
    let answered;
    let args = if args.name.is_none() && args.from.is_none() && ask::can_ask() {
        let Some(answers) = ask::ask(args, &callable(args), terminal)? else {
            terminal.say("Nothing was written.");
            return Ok(Outcome::Clean);
        };
        answered = answers;
        &answered
    } else {
        args
    };
    if let Some(next) = create(args, terminal)? {
        terminal.say(next);
    }
    Ok(Outcome::Clean)
}

/// The services that a new one could call, as far as they can be found: what is wrong shows when it is made.
fn callable(args: &New) -> Vec<Callee> {
    let Ok(here) = std::env::current_dir() else { return Vec::new() };
    let Ok(Place::Existing(root)) = place::find(&here, args.workspace.as_deref(), "service") else { return Vec::new() };
    place::read_existing(&root).map(|existing| place::callees(&root, &existing.members)).unwrap_or_default()
}

/// Does what `new` does and returns the text that says what to do next; `None` when nothing was to be written.
///
/// # Errors
/// When a service cannot be made; nothing is written then.
pub fn create(args: &New, terminal: Terminal) -> miette::Result<Option<String>> {
    // Whoever reads the object needs no lines beside it.
    let terminal = Terminal { quiet: terminal.quiet || args.format == NewFormat::Json, ..terminal };
    let here = std::env::current_dir().map_err(|error| miette!("cannot tell the current directory: {error}"))?;
    match (&args.name, &args.from) {
        (Some(name), _) => {
            let wish = Wish::of(parse_name(name)?, args)?;
            wish.check(Words::CommandLine)?;
            let place = found(&here, args, wish.name.as_str(), terminal)?;
            write(&[wish], place, &here, args, terminal)
        }
        (None, Some(file)) => {
            let system = system::read(file)?;
            let place = found(&here, args, system.name(), terminal)?;
            let (wishes, there) = system.wishes(&place)?;
            for name in there {
                terminal.status("Kept", format!("the service `{name}`, which is there"));
            }
            if wishes.is_empty() && args.format == NewFormat::Human {
                terminal.say("Nothing to do: every service of the file is there.");
                return Ok(None);
            }
            write(&wishes, place, &here, args, terminal)
        }
        (None, None) => Err(miette!(
            help = "name it: `cargo msvc new orders`; on a terminal it asks for what it needs",
            "the service has no name"
        )),
    }
}

/// Where services go, with nothing half-written there any more.
fn found(here: &Path, args: &New, name: &str, terminal: Terminal) -> miette::Result<Place> {
    let place = place::find(here, args.workspace.as_deref(), name)?;
    let (Place::Existing(root) | Place::New(root)) = &place;
    finish_interrupted_write(root, args.plan.only_looks(), terminal)?;
    Ok(place)
}

/// All of them or none.
fn write(wishes: &[Wish], place: Place, here: &Path, args: &New, terminal: Terminal) -> miette::Result<Option<String>> {
    let planned = plan(wishes, place)?;
    let mut notes = planned.notes.clone();
    for name in long_names(&planned) {
        notes.push(format!("lines that name `{name}` may be longer than rustfmt has them: run `cargo fmt`"));
    }
    let is_written = !args.plan.only_looks();
    if is_written {
        planned.files.write(&planned.root)?;
        report::report(&planned, here, terminal);
    }
    if args.format == NewFormat::Json {
        print(report::json(&planned, is_written, &notes, here))?;
        return Ok(None);
    }
    if args.plan.dry_run {
        print(listing(&planned.files))?;
    } else if args.plan.diff {
        print(planned.files.diff())?;
    }
    for note in notes {
        terminal.warn(note);
    }
    Ok(is_written.then(|| report::next_steps(&planned, here, terminal)))
}

fn long_names(planned: &Planned) -> Vec<&str> {
    let callees = planned.services.iter().flat_map(|service| &service.callees);
    let mut names: Vec<_> = callees.map(|callee| callee.name.as_str()).filter(|name| name.len() > LONGEST_CALLEE).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What `--dry-run` prints: a line a file, and what would happen to it.
fn listing(files: &FileTree) -> String {
    files.changes().map(|(path, file)| format!("{} {path}\n", report::action(file))).collect()
}

/// `path` from `here`, when it is below; `.` for `here` itself.
fn relative(path: &Path, here: &Path) -> PathBuf {
    match path.strip_prefix(here) {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => rest.to_owned(),
        Err(_) => path.to_owned(),
    }
}

/// As a POSIX shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+,:@%".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_pasted_safely() {
        for (path, pasted) in [("shop", "shop"), ("my shop", "'my shop'"), ("it's", r"'it'\''s'"), ("$(x)", "'$(x)'")] {
            assert_eq!(quoted(Path::new(path)), pasted);
        }
    }
}

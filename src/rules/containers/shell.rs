//! Which shell an image has, and whether it stays the parent of what it is told to run.

use super::shipped::Shipped;
use crate::workspace::dockerfile::{Base, Command, Form};

/// What runs `sh -c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// Debian's: always starts a child.
    Dash,
    /// bash and BusyBox ash: replace themselves by the last command of the line.
    Replaced,
    /// There is none.
    Missing,
}

/// Images whose `/bin/sh` is dash, by the last part of their names, unless their tag says Alpine.
///
/// Debian's `dash` package ("default system shell on Debian systems"); the others are built from Debian or Ubuntu, as their own
/// Dockerfiles state.
const DASH: &[&str] = &[
    "debian",
    "debian-slim",
    "minideb",
    "ubuntu",
    "buildpack-deps",
    "rust",
    "cargo-chef",
    "node",
    "python",
    "postgres",
    "nginx",
];

/// Tests of the three shells on `sh -c 'sleep 9'`, `true && sleep 9` and `sleep 9; true`: dash 0.5.12 stays for all three, bash
/// 5.2 and BusyBox 1.35 for the last alone.
const REPLACED: &[&str] = &[
    "alpine",
    "busybox",
    "fedora",
    "fedora-minimal",
    "centos",
    "rockylinux",
    "almalinux",
    "amazonlinux",
    "ubi",
    "ubi-minimal",
    "ubi8",
    "ubi8-minimal",
    "ubi9",
    "ubi9-minimal",
    "archlinux",
];

/// The shell that a command of the image gets; `None` where nobody knows.
pub fn shell(image: &Shipped<'_>, command: &Command) -> Option<Shell> {
    let named = match command.form {
        Form::Exec => command.words.first().map(String::as_str),
        Form::Shell => image.lineage().find_map(|stage| stage.shell.as_ref()?.first()).map(String::as_str),
    };
    let named = named.map(|path| path.rsplit('/').next().unwrap_or(path));
    match named {
        None | Some("sh") => {}
        Some("bash" | "busybox") => return Some(Shell::Replaced),
        Some("dash") => return Some(Shell::Dash),
        Some(_) => return None,
    }
    let brings_one = image.lineage().flat_map(|stage| &stage.copies).any(|copy| {
        let whole = |source: &String| source.ends_with("/sh") || source.ends_with("bash") || source.contains("busybox");
        copy.destination == "/" || copy.destination.starts_with("/bin") || copy.sources.iter().any(whole)
    });
    let base = match image.base()? {
        Base::Scratch => return (!brings_one).then_some(Shell::Missing),
        Base::Image(image) if image.unknown.is_empty() => image,
        _ => return None,
    };
    let tag = base.tag.as_deref().unwrap_or_default();
    if base.name.contains("distroless") {
        return (!tag.contains("debug") && !brings_one).then_some(Shell::Missing);
    }
    if REPLACED.contains(&base.short_name()) || tag.contains("alpine") {
        return Some(Shell::Replaced);
    }
    DASH.contains(&base.short_name()).then_some(Shell::Dash)
}

/// Programs that start what follows and pass signals on to it.
const INITS: &[&str] = &["dumb-init", "tini", "catatonit", "docker-init", "--"];

/// The line that a shell gets: of `CMD line`, or of `CMD ["sh", "-c", "line"]`, below an init, too.
pub fn line(command: &Command) -> Option<Vec<&str>> {
    match command.form {
        Form::Shell => Some(command.words.iter().map(String::as_str).collect()),
        Form::Exec => {
            let is_init = |word: &&String| word.rsplit('/').next().is_some_and(|name| INITS.contains(&name));
            let inits = command.words.iter().take_while(is_init).count();
            let [shell, rest @ ..] = &command.words[inits..] else { return None };
            let is_shell = matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"));
            let at = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c')).filter(|_| is_shell)?;
            Some(rest.get(at + 1)?.split_whitespace().collect())
        }
    }
}

/// Whether the shell waits for the service, rather than become it.
pub fn stays(shell: Shell, line: &[&str], binaries: &[&str]) -> bool {
    // `set -e; exec orders`, `if …; then exec orders; fi`: what runs longest is what replaces the shell.
    if line.iter().any(|word| matches!(word.trim_matches(['(', ')', ';']), "exec" | "wait" | "trap" | "dumb-init")) {
        return false;
    }
    let ends = |word: &&str| matches!(*word, ";" | "&&" | "||" | "|" | "&") || word.ends_with(';');
    let is_service = |word: &&str| binaries.contains(&word.trim_end_matches(';').rsplit('/').next().unwrap_or(word));
    let last = line.iter().rposition(ends).map_or(0, |at| at + 1);
    let (before, last) = line.split_at(last);
    match shell {
        Shell::Missing => false,
        Shell::Dash => true,
        Shell::Replaced => {
            let beside = line.iter().any(|word| matches!(*word, "|" | "&" | "||"));
            beside || (before.iter().any(&is_service) && !last.iter().any(is_service))
        }
    }
}

//! The house rules of the source: which room may use which, who touches the disk and the terminal, how long a file gets.

use std::fs;
use std::path::Path;

/// A room and the rooms it may use, besides itself. Arrows point one way only.
const ROOMS: &[(&str, &[&str])] = &[
    ("service", &[]),
    ("file_tree", &[]),
    ("cli", &["service"]),
    ("workspace", &["service"]),
    ("lint", &["service", "workspace", "file_tree"]),
    ("rules", &["service", "workspace", "lint"]),
    ("config", &["service", "workspace", "lint"]),
    ("scaffold", &["service", "file_tree"]),
    ("deploy", &["service", "workspace", "lint", "config", "file_tree"]),
    ("output", &["service", "workspace", "lint"]),
    ("commands", &["service", "file_tree", "cli", "workspace", "lint", "rules", "config", "scaffold", "deploy", "output"]),
];

/// Words that stand for a power, and the only places that have it.
const POWERS: &[(&str, &[&str])] = &[
    // Reading the disk; `file_tree` alone writes what people keep, and the demonstration its own log.
    ("fs::", &["workspace/load", "workspace/sources.rs", "config.rs", "file_tree", "commands"]),
    ("fs::write", &["file_tree"]),
    ("Command::new", &["workspace/cargo.rs", "commands"]),
    ("std::env::", &["commands", "main.rs", "workspace/cargo.rs"]),
    ("print!(", &[]),
    ("println!(", &[]),
    ("stdout()", &["commands"]),
    ("stderr()", &["commands"]),
    ("clap::", &["cli.rs", "commands", "main.rs"]),
    ("colored::", &["commands", "output", "file_tree/diff.rs"]),
    ("tera::", &["scaffold", "deploy"]),
    ("syn::", &["workspace/rust"]),
    ("toml_edit::", &["workspace", "scaffold", "commands/new", "config", "deploy/config.rs"]),
    ("mimalloc", &["main.rs"]),
];

/// The longest file that still fits in a head.
const MAX_LINES: usize = 500;

#[test]
fn rooms_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = path.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        for (number, line) in code(&text) {
            let used = line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]);
            let names = used.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default());
            for name in names.filter(|name| ROOMS.iter().any(|(known, _)| known == name)) {
                if name != room && !allowed.contains(&name) {
                    wrong.push(format!("src/{path}:{number}: `{room}` may not use `{name}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn powers_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in code(&text) {
            for (word, places) in POWERS {
                let is_whole = |at: usize| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '"');
                let used = line.match_indices(word).any(|(at, _)| is_whole(at));
                let allowed = places
                    .iter()
                    .any(|place| path == *place || path.starts_with(&format!("{place}/")) || path == format!("{place}.rs"));
                if used && !allowed {
                    wrong.push(format!("src/{path}:{number}: `{word}` belongs in {}", places.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_fit_in_a_head() {
    let long = |text: &str| text.lines().count() > MAX_LINES;
    let found: Vec<_> = sources().into_iter().filter(|(_, text)| long(text)).map(|(path, _)| path).collect();
    assert!(found.is_empty(), "over {MAX_LINES} lines: {found:?}");
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let modules = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules: Vec<_> = modules.collect();
    for module in &modules {
        assert!(map.contains(&format!("//! - [`{module}`]")), "`{module}` is not explained in src/lib.rs");
        assert!(ROOMS.iter().any(|(name, _)| name == module), "`{module}` has no line in ROOMS");
    }
    assert_eq!(modules.len(), ROOMS.len());
}

/// Every source file, by its path below `src`.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// Numbered lines of code: neither comments nor tests, which stand last in a file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let shipped =
        text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]") || line.contains("mod tests;"));
    let lines = shipped.map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Lines of code, tests aside, that somebody reads in one sitting: of the core that every service has, and of each crate beside
/// it.
const MAX_CHASSIS: usize = 1_250;
const MAX_CRATE: usize = 1_400;

#[test]
fn what_services_share_can_be_read() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/crates");
    for directory in fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path()) {
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = fs::read_to_string(directory.join("Cargo.toml.tera")).unwrap();
        assert!(!manifest.contains("[features]"), "{name}: a workspace has the crates that it needs, and needs no features");
        let files = walkdir::WalkDir::new(directory.join("src")).into_iter().map(Result::unwrap);
        let files = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "rs"));
        let files: Vec<_> = files.filter(|file| !file.path().components().any(|part| part.as_os_str() == "tests")).collect();
        let lines = files.iter().map(|file| {
            let text = fs::read_to_string(file.path()).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
        });
        let (lines, most) = (lines.sum::<usize>(), if name == "chassis" { MAX_CHASSIS } else { MAX_CRATE });
        assert!(lines > 0 && lines <= most, "{name} has {lines} lines of code");
        let library = fs::read_to_string(directory.join("src/lib.rs")).unwrap();
        assert!(library.starts_with("//! "), "{name} says in its first line what it is for");
    }
}

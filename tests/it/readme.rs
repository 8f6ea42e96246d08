//! The README shows what the program prints, not what it once printed.
//!
//! The commands of its `console` blocks are run in order in one directory. `tests/readme` is laid over the workspace
//! before the audit that finds something. `BLESS=1 cargo test --test it readme` writes what is printed into the README.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::Sandbox;

const PROMPT: &str = "$ cargo msvc ";

#[test]
fn the_readme_shows_what_is_printed() {
    let readme = root().join("README.md");
    let text = fs::read_to_string(&readme).unwrap();
    let sandbox = Sandbox::new(&[]);
    let mut shown = String::new();
    let mut commands = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        shown += &format!("{line}\n");
        if line != "```console" {
            continue;
        }
        for line in lines.by_ref().take_while(|line| *line != "```") {
            if let Some(arguments) = line.strip_prefix(PROMPT) {
                if arguments == "lint" {
                    lay_over(&root().join("tests/readme"), &sandbox.path("shop"));
                }
                shown += &format!("{line}\n{}", printed(&sandbox, arguments));
                commands += 1;
            }
        }
        shown += "```\n";
    }
    assert_eq!(commands, 4, "every command shown was run");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&readme, shown).unwrap();
        return;
    }
    let diff = similar::TextDiff::from_lines(&text, &shown).unified_diff().header("README.md", "what is printed").to_string();
    assert!(text == shown, "{diff}\nBLESS=1 writes what is printed");
}

/// What they name, is there; `docs` looks at the pages below it.
#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            let path = root().join(page).parent().unwrap().join(target);
            assert!(path.exists(), "{page} links to {target}");
        }
    }
}

/// Both streams as a person sees them, in the workspace once there is one.
fn printed(sandbox: &Sandbox, arguments: &str) -> String {
    let directory = if sandbox.path("shop").exists() { "shop" } else { "" };
    let program = env!("CARGO_BIN_EXE_cargo-msvc");
    let output = Command::new("sh")
        .args(["-c", &format!("'{program}' {arguments} 2>&1")])
        .current_dir(sandbox.path(directory))
        .env("LC_ALL", "C.UTF-8")
        .env("MSVC_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn lay_over(patch: &Path, directory: &Path) {
    for entry in walkdir::WalkDir::new(patch).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let target = directory.join(entry.path().strip_prefix(patch).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(entry.path(), target).unwrap();
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

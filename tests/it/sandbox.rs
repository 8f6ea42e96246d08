//! A directory of its own for a test, and the built program to run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Sandbox(tempfile::TempDir);

/// What a run left: exit code and both streams.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    /// With these files in it.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self(tempfile::Builder::new().prefix("msvc-").tempdir().unwrap());
        for (path, text) in files {
            sandbox.file(path, text);
        }
        sandbox
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The program, about to run in `directory` with nobody at the keyboard.
    pub fn command(&self, directory: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-msvc"));
        command.args(arguments).current_dir(self.path(directory)).stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command.env("LC_ALL", "C.UTF-8").env("MSVC_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
        command
    }

    pub fn run(&self, directory: &str, arguments: &[&str]) -> Run {
        Run::of(self.command(directory, arguments).output().unwrap())
    }

    /// Every file below, with its text; `.git` is left out.
    pub fn files(&self) -> BTreeMap<String, String> {
        files(self.0.path())
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Expects exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Expects exit code 2 and all of `texts` in what it says, line breaks aside.
    #[track_caller]
    pub fn refused(self, texts: &[&str]) -> Self {
        assert_eq!(self.code, Some(2), "{}{}", self.stdout, self.stderr);
        let said = words(&self.stderr);
        for text in texts {
            assert!(said.contains(&words(text)), "{text:?} is not in:\n{}", self.stderr);
        }
        self
    }
}

/// A report without its frame and its line breaks.
fn words(text: &str) -> String {
    text.replace(['│', '×'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn files(root: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(root).into_iter().filter_entry(|entry| entry.file_name() != ".git");
    let files = entries.map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            (path, fs::read_to_string(entry.path()).unwrap_or_default())
        })
        .collect()
}

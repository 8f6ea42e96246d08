//! A new workspace outside any repository gets one, as `cargo new` does. Never a commit.

use std::path::Path;
use std::process::{Command, Stdio};

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Repository {
    /// One is above already.
    Surrounding,
    Created,
    /// Why there is none.
    Failed(String),
}

/// Makes `root` a repository unless it is in one.
pub fn init(root: &Path) -> Repository {
    if root.ancestors().any(|directory| directory.join(".git").exists()) {
        return Repository::Surrounding;
    }
    let mut git = Command::new("git");
    git.args(["init", "--quiet"]).current_dir(root).stdin(Stdio::null());
    // Set inside a git hook; they would make git work elsewhere.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    match git.output() {
        Ok(output) if output.status.success() => Repository::Created,
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Repository::Failed(format!("`git init` failed: {message}"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Repository::Failed("git was not found".into()),
        Err(error) => Repository::Failed(format!("cannot run git: {error}")),
    }
}

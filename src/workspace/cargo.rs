//! What `cargo metadata` says of a workspace, when it answers.
//!
//! Cargo is the authority on which packages form a workspace and which targets they have, so its word replaces ours on
//! those two; names, spans, dependencies and metadata are read from the manifests, which Cargo gives no places for.
//! Nothing of the audited tree may run or configure this child: it works far from the tree, reads no configuration of
//! it, installs no toolchain, asks no network, and is stopped when it takes too long.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Metadata, MetadataCommand};

use super::manifest::{Package, Target, TargetKind};

/// Far more than a workspace of a thousand packages takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Cargo at work on an answer. Stopped when nobody waits for it any more.
pub struct Question {
    child: Result<Child, String>,
    output: Option<JoinHandle<String>>,
    errors: Option<JoinHandle<String>>,
    deadline: Instant,
}

/// Asks for `cargo metadata --no-deps --offline` of the workspace that a manifest belongs to.
pub fn ask(manifest: &Path) -> Question {
    let mut command = MetadataCommand::new();
    command.no_deps().manifest_path(manifest).current_dir(neutral_directory()).other_options(["--offline".to_owned()]);
    command.env("RUSTUP_AUTO_INSTALL", "0").env("CARGO_TERM_COLOR", "never");
    let child = command.cargo_command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cargo cannot be started: {error}"));
    let started = child.as_mut().ok();
    let (output, errors) = started.map(|child| (drain(child.stdout.take()), drain(child.stderr.take()))).unzip();
    Question { child, output, errors, deadline: Instant::now() + PATIENCE }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is what there is to report.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Question {
    /// # Errors
    /// Cargo's own complaint, in one line.
    pub fn answer(mut self) -> Result<Metadata, String> {
        let status = self.wait()?;
        let text = |thread: Option<JoinHandle<String>>| thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        let (output, errors) = (text(self.output.take()), text(self.errors.take()));
        if !status.success() {
            return Err(complaint(&errors));
        }
        let json = output.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        MetadataCommand::parse(json).map_err(|error| format!("its answer cannot be read: {error}"))
    }

    fn wait(&mut self) -> Result<ExitStatus, String> {
        let child = self.child.as_mut().map_err(|error| error.clone())?;
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => return Ok(status),
                None if Instant::now() < self.deadline => std::thread::sleep(Duration::from_millis(2)),
                None => return Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
            }
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Ok(child) = &mut self.child {
            // It may well have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where the child works. Cargo and rustup look for configuration in the current directory and above it, so it must be
/// one that neither the audited tree nor another user of the machine can write to: not the shared temporary directory.
fn neutral_directory() -> PathBuf {
    if cfg!(unix) { PathBuf::from("/") } else { std::env::temp_dir() }
}

/// The first error and its deepest cause: Cargo wraps what went wrong in several layers.
fn complaint(errors: &str) -> String {
    let lines: Vec<&str> = errors.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.iter().find_map(|line| line.strip_prefix("error: ")).or(lines.first().copied());
    let cause = lines.iter().rposition(|line| *line == "Caused by:").and_then(|at| lines.get(at + 1));
    match (first, cause) {
        (Some(first), Some(cause)) if first != *cause => format!("{first}: {cause}"),
        (Some(first), _) => first.to_owned(),
        (None, _) => "it failed without a word".to_owned(),
    }
}

/// Replaces what `packages` says of workspaces and targets by what Cargo says. `root` is the audited root.
pub fn apply(packages: &mut [Package], metadata: &Metadata, root: &Path) {
    let relative = |path: &Utf8Path| -> Option<Utf8PathBuf> {
        let path = path.as_std_path().strip_prefix(root).ok()?.to_str()?;
        Some(path.replace('\\', "/").into())
    };
    let workspace = relative(&metadata.workspace_root);
    for known in &metadata.packages {
        let Some(directory) = known.manifest_path.parent().and_then(relative) else { continue };
        let Ok(at) = packages.binary_search_by(|package| package.directory.cmp(&directory)) else { continue };
        let package = &mut packages[at];
        package.workspace = workspace.clone().unwrap_or_else(|| package.workspace.clone());
        package.targets = known
            .targets
            .iter()
            .filter_map(|target| {
                Some(Target { kind: kind(target), name: target.name.clone(), root: relative(&target.src_path)? })
            })
            .collect();
        package.targets.sort();
    }
}

fn kind(target: &cargo_metadata::Target) -> TargetKind {
    if target.is_bin() {
        TargetKind::Bin
    } else if target.is_test() {
        TargetKind::Test
    } else if target.is_example() {
        TargetKind::Example
    } else if target.is_bench() {
        TargetKind::Bench
    } else if target.is_custom_build() {
        TargetKind::BuildScript
    } else if target.is_proc_macro() {
        TargetKind::ProcMacro
    } else {
        TargetKind::Lib
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_cause() {
        let text = "error: failed to load manifest for workspace member `/w/a`\n\nCaused by:\n  failed to read `/w/a/Cargo.toml`\n\n\
                    Caused by:\n  No such file or directory (os error 2)\n";
        assert_eq!(
            complaint(text),
            "failed to load manifest for workspace member `/w/a`: No such file or directory (os error 2)"
        );
        assert_eq!(complaint("error: toolchain 'x' is not installed\n"), "toolchain 'x' is not installed");
        assert_eq!(complaint(""), "it failed without a word");
    }
}

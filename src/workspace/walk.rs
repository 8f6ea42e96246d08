//! Which files of a tree are read, and as what.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::{ci, compose, dockerfile, kubernetes, settings, sql, toolchain};

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rust,
    Manifest,
    Lock,
    Dockerfile,
    Compose,
    Kustomization,
    /// Kubernetes objects where it holds any, settings where it looks like them.
    Yaml(Option<settings::Format>),
    Settings(settings::Format),
    Toolchain,
    /// Settings of Cargo itself.
    Cargo,
    /// SQL that is no migration.
    Query,
    /// Listed, not parsed.
    Migration,
    /// Listed, not parsed.
    Pipeline,
    /// Listed, not parsed.
    Packaging,
}

/// Files by which platforms and package managers that need no container image build and run what is below them: Heroku, Fly,
/// Railway, Render, App Engine, buildpacks, illumos zones.
const PACKAGING: &[&str] = &[
    "Procfile",
    "Shuttle.toml",
    "fly.toml",
    "railway.json",
    "railway.toml",
    "render.yaml",
    "app.yaml",
    "nixpacks.toml",
    "project.toml",
    "package-manifest.toml",
];

/// What a walk found, in path order.
#[derive(Debug, Default)]
pub struct Walked {
    pub files: Vec<(Utf8PathBuf, Kind)>,
    /// Paths that could not be looked into, and why.
    pub unreadable: Vec<(Utf8PathBuf, String)>,
    /// Paths that are no UTF-8, as far as they can be shown.
    pub unnameable: Vec<Utf8PathBuf>,
}

/// Walks `root` in parallel. Symbolic links are not followed: what they lead to inside the tree is read at its own
/// place, what is outside is not ours to read.
pub fn walk(root: &Path) -> Walked {
    let walked = Mutex::new(Walked::default());
    builder(root).build_parallel().run(|| {
        Box::new(|entry| {
            let mut walked = walked.lock().expect("no walker panics");
            match entry {
                Ok(entry) => visit(root, &entry, &mut walked),
                Err(error) => {
                    let path = failed_path(&error).map_or(Utf8PathBuf::new(), |path| relative(root, path));
                    walked.unreadable.push((path, plain_message(&error)));
                }
            }
            WalkState::Continue
        })
    });
    let mut walked = walked.into_inner().expect("no walker panics");
    walked.files.sort_by(|a, b| a.0.cmp(&b.0));
    walked.unreadable.sort();
    walked.unnameable.sort();
    walked
}

fn builder(root: &Path) -> WalkBuilder {
    // Outside a repository, .gitignore files count all the same, but none from above the root: a home directory under
    // version control often ignores everything.
    let in_repository = root.ancestors().any(|directory| directory.join(".git").exists());
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .parents(in_repository)
        .require_git(in_repository)
        .ignore(false)
        .git_global(false)
        .filter_entry(|entry| entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) || is_entered(entry));
    builder
}

/// Whether a directory is walked into.
fn is_entered(entry: &DirEntry) -> bool {
    let path = entry.path();
    let name = entry.file_name().to_str().unwrap_or_default();
    match name {
        "node_modules" => false,
        // `target` may be a module's name: Cargo's own stands beside a manifest or carries its tag.
        "target" => {
            !path.join("CACHEDIR.TAG").exists() && !path.parent().is_some_and(|parent| parent.join("Cargo.toml").exists())
        }
        // What Cargo keeps beside its settings is other people's.
        _ if path.parent().is_some_and(|parent| parent.ends_with(".cargo")) => false,
        _ if name.starts_with('.') => ci::FOLDERS.contains(&name) || matches!(name, ".docker" | ".cargo"),
        // Copies of other people's crates.
        _ => !path.join(".cargo-checksum.json").exists(),
    }
}

fn visit(root: &Path, entry: &DirEntry, walked: &mut Walked) {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return;
    }
    let path = relative(root, entry.path());
    let Some(kind) = kind(&path) else { return };
    if entry.path().to_str().is_none() {
        walked.unnameable.push(path);
    } else {
        walked.files.push((path, kind));
    }
}

fn relative(root: &Path, path: &Path) -> Utf8PathBuf {
    let inner = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/").into()
}

/// How a path is read; `None` for files that say nothing to us.
pub fn kind(path: &Utf8Path) -> Option<Kind> {
    let name = path.file_name()?;
    if path.parent().is_some_and(|folder| folder.ends_with(".cargo")) {
        return matches!(name, "config.toml" | "config").then_some(Kind::Cargo);
    }
    if name == "Cargo.toml" {
        return Some(Kind::Manifest);
    }
    if name == "Cargo.lock" {
        return Some(Kind::Lock);
    }
    if toolchain::is_toolchain(path) {
        return Some(Kind::Toolchain);
    }
    // A unit of systemd runs on a host of its own.
    if PACKAGING.contains(&name) || path.extension() == Some("service") {
        return Some(Kind::Packaging);
    }
    if ci::is_pipeline(path) {
        return Some(Kind::Pipeline);
    }
    if dockerfile::is_dockerfile(name) {
        return Some(Kind::Dockerfile);
    }
    if compose::is_compose(name) {
        return Some(Kind::Compose);
    }
    if kubernetes::is_kustomization(name) {
        return Some(Kind::Kustomization);
    }
    if sql::is_migration(path) {
        return Some(Kind::Migration);
    }
    let settings = settings::format(path);
    match path.extension() {
        Some("rs") => Some(Kind::Rust),
        Some("sql") => Some(Kind::Query),
        Some("yaml" | "yml") => Some(Kind::Yaml(settings)),
        _ => settings.map(Kind::Settings),
    }
}

fn failed_path(error: &ignore::Error) -> Option<&PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => failed_path(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

fn plain_message(error: &ignore::Error) -> String {
    match error.io_error() {
        Some(error) => error.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        use settings::Format;
        for (path, expected) in [
            ("src/main.rs", Some(Kind::Rust)),
            ("a/Cargo.toml", Some(Kind::Manifest)),
            ("Dockerfile.orders", Some(Kind::Dockerfile)),
            ("docker-compose.dev.yml", Some(Kind::Compose)),
            ("k8s/base/kustomization.yaml", Some(Kind::Kustomization)),
            ("k8s/deployment.yaml", Some(Kind::Yaml(None))),
            ("config/default.yaml", Some(Kind::Yaml(Some(Format::Yaml)))),
            ("svc/config.toml", Some(Kind::Settings(Format::Toml))),
            ("svc/migrations/1.sql", Some(Kind::Migration)),
            ("svc/queries/all.sql", Some(Kind::Query)),
            (".github/workflows/ci.yml", Some(Kind::Pipeline)),
            ("rust-toolchain.toml", Some(Kind::Toolchain)),
            (".cargo/config.toml", Some(Kind::Cargo)),
            (".cargo/credentials.toml", None),
            ("Procfile", Some(Kind::Packaging)),
            ("dist/orders.service", Some(Kind::Packaging)),
            ("README.md", None),
            ("data.json", None),
        ] {
            assert_eq!(kind(path.into()), expected, "{path}");
        }
    }
}

//! Whether a Dockerfile may build a service that it is not linked to. In doubt it does: rules report only what no reading can
//! excuse.

use std::collections::BTreeSet;

use cargo_metadata::camino::Utf8Path;

use super::paths::same_name;
use crate::workspace::dockerfile::Dockerfile;
use crate::workspace::{Service, Workspace};

/// Whether `name` names the service: by its own name, its package or its binary.
pub fn names_service(workspace: &Workspace, service: &Service, name: &str) -> bool {
    let package = &workspace.packages[service.package].name;
    [&service.name, package, &service.binary].into_iter().any(|own| same_name(own, name))
}

/// Mentions the service anywhere, or stands above it, or outside of every package, and names no service at all: then it takes
/// what it is told to.
pub fn may_build(workspace: &Workspace, dockerfile: &Dockerfile, service: &Service) -> bool {
    let words = words(dockerfile);
    if words.iter().any(|word| names_service(workspace, service, word)) {
        return true;
    }
    let folder = workspace.sources.path(dockerfile.file).parent().unwrap_or(Utf8Path::new(""));
    let names_other = workspace.services.iter().any(|other| words.iter().any(|word| names_service(workspace, other, word)));
    let inside = |directory: &Utf8Path| !directory.as_str().is_empty() && folder.starts_with(directory);
    let reaches = service.directory.starts_with(folder) || !workspace.packages.iter().any(|package| inside(&package.directory));
    !names_other && reaches && words.contains("cargo")
}

/// Every word that a Dockerfile says in what it runs, copies and starts.
fn words(dockerfile: &Dockerfile) -> BTreeSet<&str> {
    let mut words = BTreeSet::new();
    for stage in &dockerfile.stages {
        let commands = stage.runs.iter().chain(&stage.entrypoint).chain(&stage.command).flat_map(|command| &command.words);
        let copies = stage.copies.iter().flat_map(|copy| copy.sources.iter().chain([&copy.destination]));
        let variables = stage.arguments.iter().chain(&stage.environment).filter_map(|variable| variable.value.as_ref());
        let all = commands.chain(copies).chain(variables).chain(&stage.name);
        words.extend(all.flat_map(|word| word.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))));
    }
    words.extend(dockerfile.arguments.iter().filter_map(|variable| variable.value.as_deref()));
    words
}

/// Images that hold a Rust toolchain, by the last part of their names: Docker Hub's `rust` and `rustlang/rust`,
/// `lukemathwalker/cargo-chef` (built from `rust`), `clux/muslrust`, `ekidd/rust-musl-builder`, `messense/rust-musl-cross`.
pub const TOOLCHAIN_IMAGES: &[&str] = &["rust", "cargo-chef", "muslrust", "rust-musl-builder", "rust-musl-cross"];

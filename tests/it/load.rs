//! Trees on disk to a [`Workspace`].

use std::fs;
use std::path::Path;

use cargo_msvc::workspace::manifest::{Package, TargetKind};
use cargo_msvc::workspace::{Workspace, load};
use tempfile::TempDir;

/// A tree of these files, outside any repository.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    write(root.path(), files);
    root
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn paths(workspace: &Workspace) -> Vec<&str> {
    workspace.sources.iter().map(|(_, path)| path.as_str()).collect()
}

fn messages(problems: &[cargo_msvc::workspace::Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.message.as_str()).collect()
}

fn package<'w>(workspace: &'w Workspace, name: &str) -> &'w Package {
    workspace.packages.iter().find(|package| package.name == name).expect(name)
}

const PACKAGE: &str = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

#[test]
fn only_what_belongs_to_the_tree_is_read() {
    let root = tree(&[
        (".gitignore", "/ignored\n*.skip.rs\n"),
        ("Cargo.toml", PACKAGE),
        ("src/main.rs", "mod target; fn main() {}"),
        ("src/target/mod.rs", ""),
        ("src/x.skip.rs", ""),
        ("ignored/x.rs", ""),
        ("target/debug/x.rs", ""),
        ("web/node_modules/x/x.rs", ""),
        ("vendor/serde/.cargo-checksum.json", "{}"),
        ("vendor/serde/src/lib.rs", ""),
        (".cargo/config.toml", "[build]\nrustc-wrapper = \"/bin/false\"\n"),
        (".hidden/x.rs", ""),
        (".github/workflows/ci.yml", "on: push"),
        (".gitlab-ci.yml", "x: y"),
        (".env", "A=1"),
        ("README.md", ""),
    ]);
    let workspace = load(root.path());
    let expected = [
        ".cargo/config.toml",
        ".env",
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Cargo.toml",
        "src/main.rs",
        "src/target/mod.rs",
    ];
    assert_eq!(paths(&workspace), expected);
    assert_eq!(messages(&workspace.problems), [""; 0]);
    assert_eq!(workspace.ci.len(), 2);
    assert_eq!(workspace.settings.len(), 1);
    assert_eq!(workspace.sources.text(workspace.settings[0].file).as_deref(), Some("A=1"));
}

#[test]
fn every_document_has_its_facts() {
    let root = tree(&[
        ("Cargo.toml", PACKAGE),
        ("src/main.rs", "fn main() {}"),
        ("Dockerfile", "FROM rust:1.95\n"),
        ("compose.yaml", "services: {a: {build: .}}\n"),
        ("config.toml", "[server]\nport = 8080\n"),
        (
            "deploy/a.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
        ),
        ("deploy/kustomization.yaml", "resources: [a.yaml]\n"),
        ("deploy/other.yaml", "just: text\n"),
        ("migrations/1.sql", "create table x (y int);"),
        ("chart/templates/a.yaml", "apiVersion: v1\nkind: {{ .Values.kind }}\n"),
        ("chart/templates/b.yaml", "apiVersion: v1\nkind: Pod\n{{- if .x }}\n{{- end }}\n"),
    ]);
    let workspace = load(root.path());
    assert_eq!(messages(&workspace.problems), [""; 0]);
    assert_eq!(workspace.rust.len(), 1);
    assert_eq!(workspace.dockerfiles.len(), 1);
    assert_eq!(workspace.compose[0].services[0].name.value, "a");
    assert_eq!(workspace.settings[0].get("server.port").unwrap().value, "8080");
    let objects: Vec<_> = workspace.kubernetes.iter().map(|object| object.name.value.as_str()).collect();
    assert_eq!(objects, ["a", "b"]);
    assert_eq!(workspace.kustomizations.len(), 1);
    assert_eq!(workspace.migrations.len(), 1);
    assert_eq!(workspace.notes.len(), 1, "{:?}", workspace.notes);
    assert!(workspace.notes[0].message.starts_with("2 files are templates"));
    assert_eq!(workspace.packages[0].binaries().next().unwrap().kind, TargetKind::Bin);
}

#[test]
fn a_path_that_is_no_tree_is_a_problem() {
    let root = TempDir::new().unwrap();
    let workspace = load(&root.path().join("nowhere"));
    assert_eq!(workspace.problems.len(), 1);
    assert!(workspace.problems[0].message.contains("No such file"), "{:?}", workspace.problems);
    assert!(load(root.path()).problems.is_empty());
    assert_eq!(package(&load(tree(&[("Cargo.toml", PACKAGE)]).path()), "a").edition, "2024");
}

#[test]
fn comments_to_the_linter_are_found_in_every_kind_of_file() {
    let comment = |marker: &str| format!("{marker} msvc: allow(x) because y\n");
    let files = [
        ("Cargo.toml", PACKAGE.to_owned() + &comment("#")),
        ("Dockerfile", "FROM a\n".to_owned() + &comment("#")),
        ("compose.yaml", "services: {}\n".to_owned() + &comment("#")),
        ("config.toml", comment("#")),
        ("deploy/a.yaml", "apiVersion: v1\nkind: Pod\n".to_owned() + &comment("#")),
        ("deploy/kustomization.yaml", "resources: []\n".to_owned() + &comment("#")),
        ("migrations/1.sql", comment("--")),
        ("prod.env", comment("#")),
        ("src/main.rs", "fn main() {}\n".to_owned() + &comment("//")),
    ];
    let borrowed: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let workspace = load(tree(&borrowed).path());
    let found: Vec<_> = workspace.directives.iter().map(|found| workspace.sources.path(found.at.file).as_str()).collect();
    assert_eq!(found, files.map(|(path, _)| path));
}

//! The crates that services are built from. Each directory of `templates/crates` is one, `chassis` and what adds to it.
//! A workspace gets those that its services' manifests name, and those that these name in turn: no other table says so.

use std::collections::BTreeSet;

use toml_edit::{Document, Item};

use super::tree::{embedded, files_below};
use crate::file_tree::FileTree;

/// Where crates go in a workspace that has none.
pub const DIRECTORY: &str = "crates";

/// Every one, in name order.
pub fn all() -> BTreeSet<&'static str> {
    let directories = embedded(DIRECTORY).dirs();
    directories.filter_map(|directory| directory.path().file_name()?.to_str()).collect()
}

/// The files of one, as every workspace has them.
pub fn files(name: &str) -> FileTree {
    files_below(&format!("{DIRECTORY}/{name}"))
}

/// Its `Cargo.toml`.
pub fn manifest(name: &str) -> String {
    let files = files(name);
    files.get("Cargo.toml").map(|file| String::from_utf8_lossy(&file.contents).into_owned()).unwrap_or_default()
}

/// Those that manifests name, and those that these name in turn.
pub fn needed_by<'m>(manifests: impl IntoIterator<Item = &'m str>) -> BTreeSet<&'static str> {
    let all = all();
    let mut open: Vec<String> = manifests.into_iter().flat_map(dependencies).collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(name) = all.get(name.as_str())
            && needed.insert(*name)
        {
            open.extend(dependencies(&manifest(name)));
        }
    }
    needed
}

/// Names of all packages that a manifest asks for. Empty when it is no TOML.
pub fn dependencies(manifest: &str) -> BTreeSet<String> {
    let Ok(manifest) = Document::parse(manifest) else { return BTreeSet::new() };
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|table| manifest.get(table).and_then(Item::as_table_like))
        .flat_map(|table| table.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
        .collect()
}

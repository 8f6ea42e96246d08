//! Which targets a package has: those its manifest names, and those that Cargo finds by their place.

use std::collections::BTreeSet;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{Item, TableLike};

use super::{Manifest, Target, TargetKind, at, join, span_of};
use crate::workspace::Span;

/// Targets as Cargo finds them: those that the manifest names, and those at the usual places.
pub(super) fn targets(
    manifest: &Manifest,
    name: &str,
    edition: &str,
    rust_files: &BTreeSet<Utf8PathBuf>,
    outside: &mut dyn FnMut(&str, Span),
) -> Vec<Target> {
    let root = &manifest.root;
    let directory = &manifest.directory;
    let package = |key: &str| at(root, &["package", key]);
    let exists = |path: &str| rust_files.contains(&directory.join(path));
    let mut resolve = |item: &Item, path: &str| {
        let resolved = join(directory, path);
        if resolved.is_none() {
            outside(path, span_of(item));
        }
        resolved.filter(|path| rust_files.contains(path))
    };
    let mut targets = Vec::new();

    let library = root.get("lib");
    let stated = library.and_then(|item| Some((item, item.get("path")?.as_str()?)));
    let path = match stated {
        Some((item, path)) => resolve(item, path),
        None if exists("src/lib.rs") && package("autolib").and_then(Item::as_bool) != Some(false) || library.is_some() => {
            Some(directory.join("src/lib.rs")).filter(|path| rust_files.contains(path))
        }
        None => None,
    };
    if let Some(path) = path {
        let own = library.and_then(|item| item.get("name")).and_then(Item::as_str);
        let name = own.map_or_else(|| name.replace('-', "_"), str::to_owned);
        let key = |key: &str| library.and_then(|item| item.get(key)).and_then(Item::as_bool);
        let is_macro = key("proc-macro").or_else(|| key("proc_macro")) == Some(true);
        let kind = if is_macro { TargetKind::ProcMacro } else { TargetKind::Lib };
        targets.push(Target { kind, name, root: path });
    }

    for (kind, table, folder, switch) in [
        (TargetKind::Bin, "bin", "src/bin", "autobins"),
        (TargetKind::Test, "test", "tests", "autotests"),
        (TargetKind::Example, "example", "examples", "autoexamples"),
        (TargetKind::Bench, "bench", "benches", "autobenches"),
    ] {
        let mut usual = discovered(directory, folder, rust_files);
        if kind == TargetKind::Bin && exists("src/main.rs") {
            usual.insert(0, (name.to_owned(), directory.join("src/main.rs")));
        }
        let stated: Vec<(&dyn TableLike, &Item)> = match root.get(table) {
            Some(item @ Item::ArrayOfTables(tables)) => tables.iter().map(|table| (table as &dyn TableLike, item)).collect(),
            Some(item) => {
                let tables = item.as_array().into_iter().flatten().filter_map(toml_edit::Value::as_inline_table);
                tables.map(|table| (table as &dyn TableLike, item)).collect()
            }
            None => Vec::new(),
        };
        // The 2015 edition looks at the usual places only when no target of the kind is named.
        let automatic = package(switch).and_then(Item::as_bool).unwrap_or(edition != "2015" || stated.is_empty());
        let mut named: Vec<Target> = Vec::new();
        for (target, item) in stated {
            let Some(own_name) = target.get("name").and_then(Item::as_str) else { continue };
            let path = match target.get("path").and_then(Item::as_str) {
                Some(path) => resolve(target.get("path").unwrap_or(item), path),
                None => usual.iter().find(|(found, _)| found == own_name).map(|(_, path)| path.clone()),
            };
            named.extend(path.map(|root| Target { kind, name: own_name.to_owned(), root }));
        }
        if automatic {
            for (name, root) in usual {
                if !named.iter().any(|target| target.name == name || target.root == root) {
                    named.push(Target { kind, name, root });
                }
            }
        }
        targets.extend(named);
    }

    let script = match package("build") {
        Some(item) => item.as_str().and_then(|path| resolve(item, path)),
        None => exists("build.rs").then(|| directory.join("build.rs")),
    };
    targets.extend(script.map(|root| Target { kind: TargetKind::BuildScript, name: "build-script-build".to_owned(), root }));
    targets.sort();
    targets
}

/// `folder/*.rs` and `folder/*/main.rs` of a package.
fn discovered(directory: &Utf8Path, folder: &str, rust_files: &BTreeSet<Utf8PathBuf>) -> Vec<(String, Utf8PathBuf)> {
    let folder = directory.join(folder);
    let below = rust_files.range(folder.clone()..).take_while(|path| path.starts_with(&folder));
    below
        .filter_map(|path| {
            let inner = path.strip_prefix(&folder).ok()?;
            let mut parts = inner.iter();
            let name = match (parts.next()?, parts.next(), parts.next()) {
                (file, None, None) => file.strip_suffix(".rs")?,
                (folder, Some("main.rs"), None) => folder,
                _ => return None,
            };
            Some((name.to_owned(), path.clone()))
        })
        .collect()
}

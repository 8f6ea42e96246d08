//! Histories of migrations, and whose they are.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use super::Set;
use crate::workspace::Workspace;
use crate::workspace::manifest::join;
use crate::workspace::rust::ExprKind;

pub fn sets(workspace: &Workspace) -> Vec<Set> {
    let embedded = embedded(workspace);
    let mut found: BTreeMap<Utf8PathBuf, Set> = BTreeMap::new();
    for (index, migration) in workspace.migrations.iter().enumerate() {
        let path = workspace.sources.path(migration.file);
        let (folder, owners) = owners(workspace, &embedded, path, &migration.set);
        let set = found.entry(folder.clone()).or_insert_with(|| Set { folder, owners, migrations: Vec::new() });
        set.migrations.push(index);
    }
    found.into_values().collect()
}

/// Folders of migrations that the code of services runs, and the packages of those services.
fn embedded(workspace: &Workspace) -> BTreeMap<Utf8PathBuf, BTreeSet<usize>> {
    let mut found: BTreeMap<Utf8PathBuf, BTreeSet<usize>> = BTreeMap::new();
    // sqlx 0.5-0.8 `migrate!`, diesel_migrations 1-2 and refinery 0.5-0.8 `embed_migrations!`: all relative to Cargo.toml.
    for node in ["migrate", "embed_migrations"].into_iter().flat_map(|name| workspace.named(name)) {
        if !matches!(node.kind(), ExprKind::Macro { .. }) {
            continue;
        }
        let folder = match node.arguments().next() {
            Some(argument) => argument.text(),
            None => Some("migrations"),
        };
        for krate in node.crates() {
            let directory = &workspace.packages[workspace.names.crates[krate].package].directory;
            let Some(folder) = folder.and_then(|folder| join(directory, folder)) else { continue };
            let running = workspace.services.iter().filter(|service| workspace.runs(service, node));
            found.entry(folder).or_default().extend(running.map(|service| service.package));
        }
    }
    found
}

/// The folder that stands for a migration's history, and the packages of the services that own it.
fn owners(
    workspace: &Workspace,
    embedded: &BTreeMap<Utf8PathBuf, BTreeSet<usize>>,
    path: &Utf8Path,
    set: &Utf8Path,
) -> (Utf8PathBuf, Vec<usize>) {
    let by_code = embedded.iter().filter(|(folder, _)| path.starts_with(folder)).max_by_key(|(folder, _)| folder.as_str().len());
    if let Some((folder, packages)) = by_code.filter(|(_, packages)| !packages.is_empty()) {
        return (folder.clone(), packages.iter().copied().collect());
    }
    // `migrations/orders/1.sql`, `db/orders/migrations/1.sql`
    let parts: Vec<&str> = path.parent().into_iter().flat_map(Utf8Path::iter).collect();
    for (at, part) in parts.iter().enumerate().rev() {
        let plain = |name: &str| name.replace('_', "-").trim_end_matches("-service").to_ascii_lowercase();
        let named: BTreeSet<usize> = workspace
            .services
            .iter()
            .filter(|service| plain(&service.name) == plain(part))
            .map(|service| service.package)
            .collect();
        if named.len() == 1 {
            let named_folder: Utf8PathBuf = parts[..=at].iter().collect();
            let folder = if named_folder.as_str().len() > set.as_str().len() { named_folder } else { set.to_owned() };
            return (folder, named.into_iter().collect());
        }
    }
    let around = |directory: &Utf8Path| !directory.as_str().is_empty() && path.starts_with(directory);
    let nearest = workspace.services.iter().filter(|service| around(&service.directory)).map(|service| &service.directory);
    let nearest = nearest.max_by_key(|directory| directory.as_str().len());
    let inside = workspace.services.iter().filter(|service| Some(&service.directory) == nearest);
    let packages: BTreeSet<usize> = inside.map(|service| service.package).collect();
    (set.to_owned(), packages.into_iter().collect())
}

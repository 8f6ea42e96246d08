//! Where a binary keeps its data: the database crates that the code it reaches uses.

use std::collections::BTreeSet;

use super::files_below;
use crate::service::Store;
use crate::workspace::manifest::{Dependency, DependencyKind, Package};
use crate::workspace::reach::Reach;
use crate::workspace::service::Found;
use crate::workspace::{Location, Workspace};

/// Crates of one engine.
const CRATES: &[(&str, Store)] = &[
    ("deadpool-postgres", Store::Postgres),
    ("libsql", Store::Sqlite),
    ("mongodb", Store::Mongodb),
    ("mysql", Store::Mysql),
    ("mysql_async", Store::Mysql),
    ("postgres", Store::Postgres),
    ("rusqlite", Store::Sqlite),
    ("tokio-postgres", Store::Postgres),
    ("wither", Store::Mongodb),
    // A cache more often than a store: counts only where nothing else does.
    ("deadpool-redis", Store::Redis),
    ("fred", Store::Redis),
    ("redis", Store::Redis),
];

/// Crates of several engines, chosen by features.
const BY_FEATURE: &[&str] = &["diesel", "diesel-async", "sea-orm", "sea-query", "sqlx", "welds", "ormx"];

/// Starts of feature names, and of the modules and types that code names.
const ENGINES: &[(&str, Store)] = &[("postgres", Store::Postgres), ("mysql", Store::Mysql), ("sqlite", Store::Sqlite)];

/// The store that the reached code uses. `None` when there is none, or more than one and the code does not say which.
pub fn store(workspace: &Workspace, package: usize, reached: &Reach) -> Option<Found<Store>> {
    let mut found: Vec<Found<Store>> = Vec::new();
    for (index, uses) in used_packages(workspace, package, reached) {
        let user = &workspace.packages[index];
        for dependency in user.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            if uses.contains(&dependency.alias.as_str()) {
                found.extend(engine(workspace, user, dependency, reached));
            }
        }
    }
    let only_redis = found.iter().all(|found| found.value == Store::Redis);
    found.retain(|found| only_redis || found.value != Store::Redis);
    found.sort_by_key(|found| (found.value, found.at));
    found.dedup_by_key(|found| found.value);
    if found.len() == 1 { found.pop() } else { None }
}

/// Packages whose code is reached, with the database crates that this code imports or names. Of the service's own package
/// all files count: not every handler is found by following calls.
fn used_packages<'w>(workspace: &'w Workspace, package: usize, reached: &Reach) -> Vec<(usize, Vec<&'w str>)> {
    let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
    let own = files_below(workspace, &workspace.packages[package].directory);
    let files: BTreeSet<usize> = reached.files().iter().copied().chain(own).collect();
    for file in files {
        let facts = &workspace.rust[file];
        let modules = workspace.names.modules_of(file, crate::workspace::rust::ModuleId::root());
        let Some(&module) = modules.first() else { continue };
        let owner = workspace.names.crates[workspace.names.modules[module].krate].package;
        let known = |name: &str| {
            let dash = |name: &str| name.replace('_', "-");
            let dependency = workspace.packages[owner].dependencies.iter().find(|dependency| dependency.alias == name);
            dependency.is_some_and(|dependency| {
                let package = dash(&dependency.package);
                CRATES.iter().any(|(name, _)| dash(name) == package) || BY_FEATURE.contains(&package.as_str())
            })
        };
        let imported = facts.uses.iter().filter_map(|import| import.path.first());
        let named = workspace.paths_of(file).filter(|path| path.len() > 1).filter_map(|path| path.first());
        for name in imported.chain(named).map(|name| &**name).filter(|name| known(name)) {
            match found.iter_mut().find(|(index, _)| *index == owner) {
                Some((_, uses)) if uses.contains(&name) => {}
                Some((_, uses)) => uses.push(name),
                None => found.push((owner, vec![name])),
            }
        }
    }
    found
}

fn engine(workspace: &Workspace, user: &Package, dependency: &Dependency, reached: &Reach) -> Vec<Found<Store>> {
    let at = Location::new(user.manifest, dependency.span);
    let dash = |name: &str| name.replace('_', "-");
    if let Some((_, value)) = CRATES.iter().find(|(name, _)| dash(name) == dash(&dependency.package)) {
        return vec![Found { value: *value, at }];
    }
    if !BY_FEATURE.contains(&dependency.package.as_str()) {
        return Vec::new();
    }
    let of_feature = |feature: &String| {
        let feature = feature.trim_start_matches("sqlx-");
        ENGINES.iter().find(|(name, _)| feature.starts_with(name)).map(|(_, store)| *store)
    };
    let mut engines: Vec<Store> = dependency.features.iter().filter_map(of_feature).collect();
    engines.sort();
    engines.dedup();
    if engines.len() > 1 {
        // Features of the whole workspace: which of them this service uses, its code says.
        engines.retain(|engine| names_engine(workspace, &dependency.alias, *engine, reached));
    }
    engines.into_iter().map(|value| Found { value, at }).collect()
}

/// Whether reached code names the engine: `use sqlx::PgPool`, `sqlx::postgres::PgPoolOptions`, `diesel::pg::PgConnection`.
fn names_engine(workspace: &Workspace, alias: &str, engine: Store, reached: &Reach) -> bool {
    let starts: &[&str] = match engine {
        Store::Postgres => &["Pg", "pg", "postgres", "Postgres"],
        Store::Mysql => &["MySql", "Mysql", "mysql"],
        Store::Sqlite => &["Sqlite", "sqlite"],
        _ => return false,
    };
    let says = |segments: &[crate::workspace::rust::Name]| {
        segments.first().is_some_and(|first| &**first == alias)
            && segments.iter().skip(1).any(|segment| starts.iter().any(|start| segment.starts_with(start)))
    };
    reached.files().iter().any(|&file| {
        let facts = &workspace.rust[file];
        facts.uses.iter().any(|import| says(&import.path)) || workspace.paths_of(file).any(|path| says(path))
    })
}

use std::collections::{BTreeMap, BTreeSet};

use super::database::Database;
use super::stores::{Use, is_job, shares, uses};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;

declare_rule! {
    /// Two services use the same database.
    ///
    /// ## Why is this bad?
    /// Each can read and change the other's tables, so neither can change its schema, move its data or restore a backup alone;
    /// one slow query or an exhausted connection limit stops both.
    ///
    /// ## Example
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://orders@db:5432/shop"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://billing@db:5432/shop"}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://orders@db:5432/orders"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://billing@db:5432/billing"}
    /// ```
    /// One server may hold both databases. What `billing` needs of `orders` it asks its API for, or keeps a copy of by events.
    ///
    /// ## Not reported when
    /// - each states a schema of its own (`?schema=`, `search_path`, a `schema` key);
    /// - one of the two migrates, seeds or backs up: it is a job on the other's data;
    /// - host or name come from outside (a secret, an unset variable, a template), or the same host name stands in compose files
    ///   that do not belong together;
    /// - both are binaries of one package;
    /// - it is a SQLite file inside the service's own folder or its container, and not on a volume that compose mounts into both.
    ///
    /// ## Source
    /// "Shared persistence", Taibi and Lenarduzzi (IEEE Software 2018) and MARS (Tighilt et al., Journal of Systems and Software
    /// 2023); C. Richardson, "Pattern: Database per service".
    "shared-database", "MSVC501", Practice::DataOwnership, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let uses = uses(workspace);
    // The same pair on the same database, said in several places, is one fault.
    let mut reported: BTreeSet<(Vec<&str>, String)> = BTreeSet::new();
    for ((_, database), uses) in &uses {
        let uses = first_of_each_service(workspace, uses);
        let names: Vec<&str> = uses.iter().map(|used| used.service.name.as_str()).collect();
        if names.len() > 1 && reported.insert((names, database.name.clone())) {
            out.push(finding(database, &uses));
        }
    }
}

/// One place for each service, by name; only those that share with another, and of each package one.
fn first_of_each_service<'u, 'w>(workspace: &Workspace, uses: &'u [Use<'w>]) -> Vec<&'u Use<'w>> {
    let mut by_package: BTreeMap<usize, &Use> = BTreeMap::new();
    for used in uses.iter().filter(|used| !is_job(used.service)) {
        by_package.entry(used.service.package).or_insert(used);
    }
    let all: Vec<&Use> = by_package.into_values().collect();
    let mut sharing: Vec<&Use> =
        all.iter().filter(|one| all.iter().any(|other| shares(workspace, one, other))).copied().collect();
    sharing.sort_by(|a, b| a.service.name.cmp(&b.service.name));
    sharing
}

fn finding(database: &Database, uses: &[&Use]) -> Diagnostic {
    let names: Vec<String> = uses.iter().map(|used| format!("`{}`", used.service.name)).collect();
    let (last, before) = names.split_last().expect("at least two services");
    let place = if database.host.is_empty() { String::new() } else { format!(" on `{}`", database.host) };
    let (first, others) = uses.split_first().expect("at least two services");
    let schemas = uses.iter().filter(|used| used.database.schema.is_some()).count();
    let mut diagnostic = Diagnostic::new(
        format!("{} and {last} use the same database `{}`{place}", before.join(", "), database.name),
        first.at,
        format!("`{}` connects here", first.service.name),
    )
    .help("give each service a database of its own, and let the others ask its API; one server may hold them all")
    .evidence("a schema of its own for each")
    .evidence("a job that migrates, seeds or backs up")
    // One of them may keep to a schema that the other does not touch.
    .confidence(if schemas == 0 { Confidence::High } else { Confidence::Medium })
    .service(&first.service.name);
    for used in others {
        diagnostic = diagnostic.related(used.at, format!("`{}` connects here", used.service.name));
    }
    diagnostic
}

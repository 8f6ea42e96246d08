//! Whose a table is, and whether two services mean the same table by its name.

use std::collections::BTreeMap;

use super::stores::{Relation, Uses, is_job, relation};
use crate::lint::Confidence;
use crate::workspace::sql::{Table, Verb};
use crate::workspace::tables::Use;
use crate::workspace::{Location, Service, Workspace};

/// Whether a table's name means one and the same table in two packages, and how sure that is.
///
/// Services often give their own databases tables of the same name. Files that state both databases decide. Where they do
/// not, one history of migrations that alone creates the table says that there is one: the other service has nothing that
/// would create it in a database of its own.
pub fn meet(workspace: &Workspace, uses: &Uses<'_>, one: usize, other: usize, table: &Table) -> Option<Confidence> {
    match relation(workspace, uses, one, other) {
        Relation::Same => Some(Confidence::High),
        Relation::Different => None,
        Relation::Unknown => {
            let together = workspace.packages[one].workspace == workspace.packages[other].workspace;
            let mut creators = workspace.tables().creators(workspace, table);
            let alone = creators.next().is_some_and(|set| set.owners.len() <= 1) && creators.next().is_none();
            // A table that code creates may stand in any database.
            let by_code =
                workspace.tables().uses.iter().any(|used| !used.migration && used.verb == Verb::Create && used.table == *table);
            (together && alone && !by_code).then_some(Confidence::Medium)
        }
    }
}

/// The service that stands for a package; none where it migrates, seeds or backs up.
pub fn service(workspace: &Workspace, package: usize) -> Option<&Service> {
    workspace.services.iter().find(|service| service.package == package && !is_job(service))
}

/// The package that owns a table, where it is created, and how sure that is: its migrations alone create the table; or one
/// history that is nobody's does, and its code alone writes it.
pub fn owner(workspace: &Workspace, table: &Table) -> Option<(usize, Location, Confidence)> {
    let mut creators = workspace.tables().creators(workspace, table);
    let set = creators.next().filter(|_| creators.next().is_none())?;
    let at = set.creates(workspace, table)?;
    match set.owners[..] {
        [package] => Some((package, at, Confidence::High)),
        [] => {
            let writes = |used: &&Use| used.verb == Verb::Write && !used.migration && used.table == *table;
            let mut writers = workspace.tables().uses.iter().filter(writes);
            let writer = writers.next()?.package;
            writers.all(|used| used.package == writer).then_some((writer, at, Confidence::Medium))
        }
        _ => None,
    }
}

/// Uses by table.
pub fn by_table(workspace: &Workspace, wanted: impl Fn(&Use) -> bool) -> BTreeMap<&Table, Vec<&Use>> {
    let mut found: BTreeMap<&Table, Vec<&Use>> = BTreeMap::new();
    for used in workspace.tables().uses.iter().filter(|used| wanted(used) && service(workspace, used.package).is_some()) {
        found.entry(&used.table).or_default().push(used);
    }
    found
}

/// "`orders`", "`orders` and `items`", "`orders`, `items` and 3 more".
pub fn list<T: std::fmt::Display>(names: &[T]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] if quoted.len() <= 3 => format!("{} and {last}", before.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

/// Whether a migration creates it as a view: what its owner lets others read.
pub fn is_view(workspace: &Workspace, table: &Table) -> bool {
    let statements = workspace.migrations.iter().flat_map(|migration| &migration.statements);
    statements
        .into_iter()
        .any(|statement| statement.view && statement.uses.iter().any(|used| used.verb == Verb::Create && used.table == *table))
}

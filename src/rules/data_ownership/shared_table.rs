use std::collections::BTreeMap;

use super::ownership::{by_table, list, meet, service};
use super::stores::uses;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::sql::{Table, Verb};
use crate::workspace::tables::Use;

crate::declare_rule! {
    /// Two services write the same table.
    ///
    /// ## Why is this bad?
    /// Rules that one service keeps about its rows the other can break, and no event, cache or lock of the first learns of it.
    /// Neither can change the table without the other, and nobody can say which of them wrote a wrong row.
    ///
    /// ## Example
    /// ```rust
    /// // services/orders
    /// sqlx::query("UPDATE orders SET state = 'placed' WHERE id = $1").bind(id).execute(&pool).await?;
    /// // services/billing
    /// sqlx::query("UPDATE orders SET state = 'paid' WHERE id = $1").bind(id).execute(&pool).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// // services/billing
    /// let url = format!("{orders}/v1/orders/{id}/payment");
    /// client.put(url).json(&payment).send().await?.error_for_status()?;
    /// ```
    /// The service that owns the table writes it, and offers the others an API or takes their events.
    ///
    /// ## Not reported when
    /// - files state a database (or a schema) for each and they differ, the engines differ, or one keeps SQLite files;
    /// - nothing states the databases, and the table may stand in both of them: more than one history of migrations, or none,
    ///   creates it, or several services run the history that does, or code creates it;
    /// - one of them migrates, seeds or backs up;
    /// - both are binaries of one package;
    /// - the name of the table is put together at run time, or the code that writes is no service's.
    ///
    /// Read are query strings of sqlx, diesel, SeaORM, tokio-postgres, rusqlite and mysql_async, diesel's `insert_into`, `update`
    /// and `delete`, and SeaORM entities.
    ///
    /// ## Source
    /// "Shared persistence", MARS (Tighilt et al., Journal of Systems and Software 2023).
    "shared-table", "MSVC502", Practice::DataOwnership, Level::Deny, Tier::Auditor, Check::Workspace(check)
}

/// A table, two writes of it, and how sure it is that they meet.
type Shared<'w> = (&'w Table, &'w Use, &'w Use, Confidence);

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let written = by_table(workspace, |used| used.verb == Verb::Write && !used.migration);
    if written.is_empty() {
        return;
    }
    let databases = uses(workspace);
    // Tables by the pair of packages that share them.
    let mut shared: BTreeMap<(usize, usize), Vec<Shared<'_>>> = BTreeMap::new();
    for (table, writers) in &written {
        for (at, one) in writers.iter().enumerate() {
            for other in &writers[at + 1..] {
                if let Some(confidence) = meet(workspace, &databases, one.package, other.package, table) {
                    shared.entry((one.package, other.package)).or_default().push((table, one, other, confidence));
                }
            }
        }
    }
    for ((one, other), tables) in shared {
        let (Some(one), Some(other)) = (service(workspace, one), service(workspace, other)) else { continue };
        let Some((_, first, second, confidence)) = tables.first().copied() else { continue };
        let names: Vec<&Table> = tables.iter().map(|(table, ..)| *table).collect();
        let noun = if names.len() == 1 { "table" } else { "tables" };
        let mut diagnostic = Diagnostic::new(
            format!("`{}` and `{}` both write the {noun} {}", one.name, other.name, list(&names)),
            first.at,
            format!("`{}` writes it here", one.name),
        )
        .related(second.at, format!("`{}` writes it here", other.name))
        .help("let the service that owns the table write it, and the other ask its API or send it an event")
        .evidence(match confidence {
            Confidence::High => "both services' files name the same database",
            _ => "one history of migrations creates the table, and no file states that the databases differ",
        })
        .evidence("a database, schema or engine of its own for each, a job that migrates, seeds or backs up")
        .confidence(confidence)
        .service(&one.name);
        if let Some(at) = workspace.tables().creators(workspace, names[0]).find_map(|set| set.creates(workspace, names[0])) {
            diagnostic = diagnostic.related(at, format!("`{}` is created here", names[0]));
        }
        out.push(diagnostic);
    }
}

use std::collections::BTreeMap;

use super::ownership::{list, meet, owner, service};
use super::stores::uses;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::sql::{Table, Verb};
use crate::workspace::tables::Use;
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// A service reads a table that another service owns.
    ///
    /// ## Why is this bad?
    /// The columns of the table become an interface that nobody versions: the owner cannot rename, split or move it without
    /// breaking a service it does not know of, and every heavy query of the reader takes from the owner's database.
    ///
    /// ## Example
    /// ```rust
    /// // services/billing; services/orders writes `orders`
    /// sqlx::query("SELECT i.total, o.customer FROM invoices i JOIN orders o ON o.id = i.order_id")
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let order: Order = client.get(format!("{orders}/v1/orders/{id}")).send().await?.json().await?;
    /// ```
    /// Or keep a table of your own that the owner's events fill.
    ///
    /// ## Not reported when
    /// - the reader writes the table too (that is `shared-table`);
    /// - who owns the table is not known: no history of migrations, or several, create it, or nobody's does and several services,
    ///   or none, write it;
    /// - files state a database (or a schema) for each and they differ, the engines differ, or one keeps SQLite files;
    /// - the reader migrates, seeds or backs up, or it is a binary of the owner's package;
    /// - it reads a view.
    ///
    /// ## Source
    /// "Shared persistence", MARS (Tighilt et al., Journal of Systems and Software 2023).
    "foreign-table-read", "MSVC503", Practice::DataOwnership, Level::Warn, Tier::Auditor, Check::Workspace(check)
}

/// A table, where it is read, where it is created, and how sure that is.
type Read<'w> = (&'w Table, &'w Use, Location, Confidence);

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let all = &workspace.tables().uses;
    let mut reads = all.iter().filter(|used| used.verb == Verb::Read && !used.migration).peekable();
    if reads.peek().is_none() {
        return;
    }
    let databases = uses(workspace);
    let mut found: BTreeMap<(usize, usize), Vec<Read<'_>>> = BTreeMap::new();
    for read in reads {
        let writes = |used: &Use| used.package == read.package && used.table == read.table && used.verb != Verb::Read;
        let Some((package, created, certainty)) = owner(workspace, &read.table) else { continue };
        if package == read.package || all.iter().any(writes) || super::ownership::is_view(workspace, &read.table) {
            continue;
        }
        if let Some(confidence) = meet(workspace, &databases, read.package, package, &read.table) {
            let tables = found.entry((read.package, package)).or_default();
            tables.push((&read.table, read, created, confidence.min(certainty)));
        }
    }
    for ((reader, owner), tables) in found {
        let (Some(reader), Some(owner)) = (service(workspace, reader), service(workspace, owner)) else { continue };
        let Some(&(table, read, created, confidence)) = tables.first() else { continue };
        let names: Vec<&Table> = tables.iter().map(|(table, ..)| *table).collect();
        let noun = if names.len() == 1 { "table" } else { "tables" };
        let diagnostic = Diagnostic::new(
            format!("`{}` reads the {noun} {} of `{}`", reader.name, list(&names), owner.name),
            read.at,
            "read here",
        )
        .related(created, format!("`{table}` is created here"))
        .help(format!("ask the API of `{}`, or keep a copy that its events fill", owner.name))
        .evidence("a write of its own to the table, another history that creates it, databases that differ, a view")
        .confidence(confidence)
        .service(&reader.name);
        out.push(diagnostic);
    }
}

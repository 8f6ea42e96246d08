use std::collections::BTreeSet;

use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::service::Store;
use crate::workspace::sql::{Change, Constraint, Effect, Migration, Table, Verb};
use crate::workspace::tables::Set;
use crate::workspace::{Location, Span, Workspace};

crate::declare_rule! {
    /// The newest migration locks a table for long, or breaks the version that still runs.
    ///
    /// ## Why is this bad?
    /// While PostgreSQL builds an index, checks rows or rewrites a table under its lock, every write to the table waits, often
    /// every read, and the requests behind them fill the pool until the service is down. And during a rolling update the old
    /// version runs on the new schema: a renamed column is an error in each of its queries.
    ///
    /// ## Example
    /// ```sql
    /// ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id);
    /// CREATE INDEX orders_state ON orders (state);
    /// ALTER TABLE orders RENAME COLUMN state TO status;
    /// ```
    ///
    /// ## Use instead
    /// ```sql
    /// -- Checks new rows only; `VALIDATE CONSTRAINT` in a later migration checks the others without stopping writes.
    /// ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
    /// -- In a migration of its own, outside a transaction (sqlx: `-- no-transaction` as its first line).
    /// CREATE INDEX CONCURRENTLY orders_state ON orders (state);
    /// -- Renaming: add the new column, write both, fill it, read it, and drop the old one in a later release.
    /// ALTER TABLE orders ADD COLUMN status TEXT;
    /// ```
    ///
    /// ## Not reported when
    /// - it is not the newest migration of its history: that has run, and must not be changed;
    /// - the same migration creates the table, or its history has but one migration: there are no rows yet;
    /// - the database is not known to be PostgreSQL;
    /// - a column or a table is dropped: that is right once no running version reads it, which the files cannot tell;
    /// - a new column has no default and is only a foreign key: PostgreSQL knows that it is empty and checks nothing;
    /// - `SET NOT NULL` on a table for which the history validates a constraint (PostgreSQL takes the check's word);
    /// - `NOT VALID`, `CONCURRENTLY`, `USING INDEX`.
    ///
    /// ## Source
    /// squawk-linter 2.65 `src/rules/`: `adding_required_field`, `adding_field_with_default`, `adding_serial_primary_key_field`,
    /// `adding_not_null_field`, `adding_foreign_key_constraint`, `constraint_missing_not_valid`, `disallowed_unique_constraint`,
    /// `changing_column_type`, `renaming_column`, `renaming_table`, `require_concurrent_index_creation`,
    /// `ban_concurrent_index_creation_in_transaction`; PostgreSQL 18, "ALTER TABLE" and "CREATE INDEX"; sqlx-core 0.8
    /// `src/migrate/source.rs` (`-- no-transaction`).
    "unsafe-migration", "MSVC506", Practice::DataOwnership, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    if workspace.migrations.is_empty() {
        return;
    }
    for set in workspace.tables().sets.iter().filter(|set| is_postgres(workspace, set)) {
        let mut ups: Vec<&Migration> =
            set.migrations.iter().map(|index| &workspace.migrations[*index]).filter(|migration| !migration.down).collect();
        ups.sort_by_key(|migration| migration.version(workspace.sources.path(migration.file)));
        let Some((newest, before)) = ups.split_last().filter(|(_, before)| !before.is_empty()) else { continue };
        let uses = newest.statements.iter().flat_map(|statement| &statement.uses);
        let new: BTreeSet<&Table> = uses.filter(|used| used.verb == Verb::Create).map(|used| &used.table).collect();
        let validated: BTreeSet<&Table> = before
            .iter()
            .chain([newest])
            .flat_map(|migration| changes(migration))
            .filter(|change| change.effect == Effect::Validate)
            .map(|change| &change.table)
            .collect();
        let sqlx = runs_in_sqlx(workspace, set);
        for change in changes(newest).filter(|change| !new.contains(&change.table)) {
            let concurrently = change.effect == Effect::CreateIndex { concurrently: true };
            if concurrently && sqlx && !newest.no_transaction {
                out.push(in_transaction(workspace, set, newest, change));
            } else if let Some((what, help)) = hazard(&change.effect)
                && !(change.effect == Effect::SetNotNull && validated.contains(&change.table))
            {
                out.push(finding(workspace, set, newest, change, what, help));
            }
        }
    }
}

fn changes(migration: &Migration) -> impl Iterator<Item = &Change> {
    migration.statements.iter().flat_map(|statement| &statement.changes)
}

/// What is unsafe about a change, and what to do.
fn hazard(effect: &Effect) -> Option<(&'static str, &'static str)> {
    const CHECKS: &str = "checks every row while writes wait";
    const NOT_VALID: &str = "add it `NOT VALID`, and `VALIDATE CONSTRAINT` in a later migration";
    const REWRITES: &str = "rewrites the table while reads and writes wait";
    const BY_INDEX: &str =
        "build a unique index `CONCURRENTLY` in a migration of its own, and add the constraint `USING INDEX` in the next";
    Some(match effect {
        Effect::AddColumn { not_null: true, default: false, serial: false, .. } => (
            "fails as soon as the table has a row",
            "add the column without `NOT NULL` or with a constant default, fill it, and require it in a later migration",
        ),
        Effect::AddColumn { serial: true, .. } | Effect::AddColumn { volatile: true, .. } => {
            (REWRITES, "add the column without the default, set the default, and fill the old rows in batches")
        }
        Effect::AddColumn { constraint: Some(Constraint::Unique | Constraint::PrimaryKey), .. } => {
            ("builds an index while reads and writes wait", BY_INDEX)
        }
        Effect::AddColumn { constraint: Some(Constraint::ForeignKey | Constraint::Check), default: true, .. } => {
            (CHECKS, NOT_VALID)
        }
        Effect::SetNotNull => (
            "checks every row while reads and writes wait",
            "add `CHECK (column IS NOT NULL) NOT VALID`, validate it in a later migration, and then set `NOT NULL`",
        ),
        Effect::ColumnType => (
            "may rewrite the table while reads and writes wait, and the running version reads the old type",
            "add a column of the new type, write both, fill it, and move readers over",
        ),
        Effect::RenameColumn => (
            "breaks the version that still runs",
            "add the new column, write both, fill it, move readers over, and drop the old one in a later release",
        ),
        Effect::RenameTable => (
            "breaks the version that still runs",
            "keep the old name as a view until no running version uses it, or do without the rename",
        ),
        Effect::AddConstraint { constraint: Constraint::ForeignKey | Constraint::Check, not_valid: false, .. } => {
            (CHECKS, NOT_VALID)
        }
        Effect::AddConstraint { constraint: Constraint::Unique | Constraint::PrimaryKey, using_index: false, .. } => {
            ("builds an index while reads and writes wait", BY_INDEX)
        }
        Effect::CreateIndex { concurrently: false } => (
            "builds the index while writes wait",
            "write `CREATE INDEX CONCURRENTLY`, in a migration of its own that runs outside a transaction",
        ),
        _ => return None,
    })
}

fn finding(workspace: &Workspace, set: &Set, migration: &Migration, change: &Change, what: &str, help: &str) -> Diagnostic {
    let at = Location::new(migration.file, change.span);
    let mut diagnostic = Diagnostic::new(format!("this change of `{}` {what}", change.table), at, what)
        .help(help)
        .evidence("a table that the same migration creates, an older migration, `NOT VALID`, `CONCURRENTLY`, `USING INDEX`")
        // How many rows there are, only the database knows.
        .confidence(match change.effect {
            Effect::RenameColumn | Effect::RenameTable => Confidence::High,
            _ => Confidence::Medium,
        });
    diagnostic.service = service_of(workspace, set);
    match change.effect {
        Effect::AddConstraint { constraint: Constraint::ForeignKey | Constraint::Check, .. } => {
            diagnostic.fix(Fix::unsafe_("check new rows only").after(at, " NOT VALID"))
        }
        _ => diagnostic,
    }
}

/// sqlx runs each migration in a transaction, in which PostgreSQL refuses to build an index concurrently.
fn in_transaction(workspace: &Workspace, set: &Set, migration: &Migration, change: &Change) -> Diagnostic {
    let at = Location::new(migration.file, change.span);
    let mut diagnostic = Diagnostic::new(
        "`CREATE INDEX CONCURRENTLY` fails in the transaction that sqlx opens for a migration",
        at,
        "cannot run inside a transaction block",
    )
    .help("make `-- no-transaction` the first line of the migration, and the index its only statement")
    .evidence("`-- no-transaction` at the very start of the file");
    diagnostic.service = service_of(workspace, set);
    if migration.statements.len() != 1 {
        return diagnostic;
    }
    let start = Location::new(migration.file, Span::default());
    diagnostic.fix(Fix::unsafe_("run it outside a transaction").before(start, "-- no-transaction\n"))
}

fn service_of(workspace: &Workspace, set: &Set) -> Option<String> {
    let [package] = set.owners[..] else { return None };
    super::ownership::service(workspace, package).map(|service| service.name.clone())
}

/// Whether the history is one of PostgreSQL, by what its services use; of all services, where it is nobody's.
fn is_postgres(workspace: &Workspace, set: &Set) -> bool {
    const OTHERS: &[&str] = &["sqlite", "mysql", "mariadb", "mssql", "clickhouse", "cassandra", "scylla", "duckdb"];
    let words = set.folder.as_str().to_ascii_lowercase();
    let named_otherwise = words.split(['/', '-', '_', '.']).any(|word| OTHERS.contains(&word));
    let of_set = workspace.services.iter().filter(|service| set.owners.is_empty() || set.owners.contains(&service.package));
    let stores: Vec<Store> = of_set.filter_map(|service| service.store.as_ref().map(|store| store.value)).collect();
    !named_otherwise && !stores.is_empty() && stores.iter().all(|store| *store == Store::Postgres)
}

/// Whether `sqlx::migrate!` of an owner runs them, in a version that knows `-- no-transaction`.
fn runs_in_sqlx(workspace: &Workspace, set: &Set) -> bool {
    let migrates = |node: crate::workspace::query::Node<'_>| node.external().is_some_and(|path| path == "sqlx::migrate");
    !set.owners.is_empty() && workspace.named("migrate").any(migrates)
}

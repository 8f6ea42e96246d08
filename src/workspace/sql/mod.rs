//! SQL: what migrations and query strings do to which tables.
//!
//! A tokenizer and a reader of statement heads rather than a full parser: migrations are written in every dialect, a query
//! string may hold placeholders of any driver, and what a rule needs is names and a handful of clauses, with their places.

mod changes;
mod statement;
mod tokens;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

pub use changes::{Change, Constraint, Effect};
pub use statement::{Statement, TableUse, Verb, read};

use super::{FileId, Span};

/// One migration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub file: FileId,
    /// The folder that is named for migrations: all files below it are one history.
    pub set: Utf8PathBuf,
    /// Undoes another one.
    pub down: bool,
    /// Its first line asks sqlx not to open a transaction.
    pub no_transaction: bool,
    pub statements: Vec<Statement>,
}

/// A file of statements that code may include.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub file: FileId,
    pub statements: Vec<Statement>,
}

/// A table, view or materialized view, by its names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// `None` for the default ones, `public` and `dbo`.
    pub schema: Option<Box<str>>,
    pub name: Box<str>,
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Migration {
    /// What orders it in its history: the number that its name, or for diesel its folder's name, starts with.
    pub fn version<'p>(&self, path: &'p Utf8Path) -> (u64, &'p Utf8Path) {
        let name = match path.file_name() {
            Some("up.sql" | "down.sql") => path.parent().and_then(Utf8Path::file_name),
            name => name,
        };
        let name = name.unwrap_or_default().trim_start_matches(['V', 'U']).replace(['-', '_'], " ");
        // `2026-01-02-030405_name` is one number, `0001_2_name` is not.
        let mut words = name.split(' ').take_while(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        let first = words.next().unwrap_or_default();
        let rest: String = if first.len() == 4 { words.filter(|word| word.len() % 2 == 0).collect() } else { String::new() };
        (format!("{first}{rest}").parse().unwrap_or(0), path)
    }
}

impl Table {
    pub fn new(schema: Option<&str>, name: &str) -> Self {
        let lower = |name: &str| name.to_lowercase().into_boxed_str();
        Self { schema: schema.map(lower).filter(|schema| !matches!(&**schema, "public" | "dbo")), name: lower(name) }
    }

    /// What the database or a migration tool keeps for itself.
    pub fn is_system(&self) -> bool {
        const SCHEMAS: &[&str] = &["pg_catalog", "information_schema", "sys", "system", "mysql", "performance_schema"];
        const TABLES: &[&str] = &[
            "_sqlx_migrations",
            "__diesel_schema_migrations",
            "refinery_schema_history",
            "seaql_migrations",
            "flyway_schema_history",
            "dual",
            "spatial_ref_sys",
        ];
        let name = &*self.name;
        self.schema.as_deref().is_some_and(|schema| SCHEMAS.contains(&schema))
            || TABLES.contains(&name)
            || ["pg_", "sqlite_", "information_schema"].iter().any(|start| name.starts_with(start))
    }
}

/// Calls and macros that take SQL text: sqlx, diesel, tokio-postgres, deadpool, rusqlite, mysql_async, SeaORM's statements.
pub const CALLS: &[&str] = &[
    "query",
    "query_as",
    "query_scalar",
    "query_with",
    "query_as_with",
    "raw_sql",
    "sql_query",
    "execute",
    "execute_batch",
    "batch_execute",
    "execute_unprepared",
    "query_one",
    "query_opt",
    "query_row",
    "query_raw",
    "query_map",
    "query_drop",
    "query_first",
    "query_iter",
    "exec",
    "exec_drop",
    "exec_first",
    "prepare",
    "prepare_cached",
    "fetch_one",
    "fetch_all",
    "fetch_optional",
    "from_string",
    "from_sql_and_values",
    "simple_query",
];

const FOLDERS: &[&str] = &["migrations", "migration", "migrate"];

/// Whether two texts say the same, comments and blanks aside.
pub fn same_tokens(one: &str, other: &str) -> bool {
    let shown = |text| tokens::tokens(text).into_iter().map(|token| (token.kind, token.text)).collect::<Vec<_>>();
    shown(one) == shown(other)
}

/// Whether a path is a migration: an `.sql` file under a folder that is named for it.
pub fn is_migration(path: &Utf8Path) -> bool {
    path.extension() == Some("sql") && path.parent().is_some_and(|folder| folder.iter().any(|part| FOLDERS.contains(&part)))
}

/// Facts of a migration.
pub fn parse_migration(file: FileId, path: &Utf8Path, text: &str) -> Migration {
    let parts: Vec<&str> = path.iter().collect();
    let set = parts.iter().rposition(|part| FOLDERS.contains(part)).map_or(&parts[..0], |at| &parts[..=at]);
    let name = path.file_name().unwrap_or_default();
    let down = name == "down.sql" || name.ends_with(".down.sql") || name.ends_with("_down.sql");
    let no_transaction = text.starts_with("-- no-transaction");
    Migration { file, set: set.iter().collect(), down, no_transaction, statements: read(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations() {
        for yes in ["migrations/1_items.sql", "services/a/migrations/2024/up.sql", "migration/x.sql"] {
            assert!(is_migration(yes.into()), "{yes}");
        }
        for no in ["queries/all.sql", "migrations/README.md", "migrations.sql"] {
            assert!(!is_migration(no.into()), "{no}");
        }
        let migration = parse_migration(FileId(0), "services/a/migrations/2024/down.sql".into(), "-- no-transaction\n");
        let version = |path: &str| migration.version(path.into()).0;
        assert_eq!(version("migrations/2026-01-02-030405_a/up.sql"), 20260102030405);
        assert_eq!(
            (version("m/0009_a.sql"), version("m/10_b.sql"), version("m/V3__c.sql"), version("m/init.sql")),
            (9, 10, 3, 0)
        );
        assert_eq!((migration.set.as_str(), migration.down, migration.no_transaction), ("services/a/migrations", true, true));
    }
}

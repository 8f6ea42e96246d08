//! The service's own SQLite database: nobody else opens it, and the service brings its schema up to date itself.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr, SqlitePool};

use crate::Error;
use crate::config::millis;
use crate::health::Outcome;

/// Where the data is and how to get at it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sqlite {
    /// The database file, or `:memory:`. Its directory is made when missing.
    pub path: String,
    pub max_connections: u32,
    /// How long a request waits for a connection: shorter than the request's own timeout.
    #[serde(rename = "acquire_timeout_ms", deserialize_with = "millis")]
    pub acquire_timeout: Duration,
    /// How long a statement waits for another writer.
    #[serde(rename = "busy_timeout_ms", deserialize_with = "millis")]
    pub busy_timeout: Duration,
}

/// A step of the schema: its number, what it does, its SQL. Steps that have run are never edited.
pub type Step = (i64, &'static str, &'static str);

/// Opens the database and applies the steps that it lacks.
pub async fn open(config: &Sqlite, schema: &[Step]) -> Result<SqlitePool, Error> {
    let in_memory = config.path == ":memory:";
    if !in_memory && let Some(directory) = Path::new(&config.path).parent() {
        std::fs::create_dir_all(directory).map_err(|error| {
            format!(
                "cannot make {} (`store.path`): {error}",
                directory.display()
            )
        })?;
    }
    let options = SqliteConnectOptions::new()
        .filename(&config.path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout)
        // Readers and the writer do not block each other; a crash of the process loses nothing.
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePoolOptions::new().acquire_timeout(config.acquire_timeout);
    let pool = if in_memory {
        // Each connection would be a database of its own, and gone with it.
        pool.max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        pool.max_connections(config.max_connections)
    };
    let pool = pool
        .connect_with(options)
        .await
        .map_err(|error| format!("cannot open {} (`store.path`): {error}", config.path))?;
    let steps = schema.iter().map(|(number, what, sql)| {
        Migration::new(
            *number,
            (*what).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(steps.collect())
        .run(&pool)
        .await
        .map_err(|error| format!("cannot bring {} up to date: {error}", config.path))?;
    Ok(pool)
}

/// A readiness check: the database can be written to. `SELECT 1` would not even open the file.
pub fn check(pool: SqlitePool) -> impl Fn() -> Outcome + Send + Sync + 'static {
    move || {
        let pool = pool.clone();
        Box::pin(async move {
            let transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
            transaction.rollback().await?;
            Ok(())
        })
    }
}

/// Whether the database is locked, full, damaged or gone: a matter of waiting or of its owner, not of this request.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            // The primary code is in the low byte: busy, locked, read-only, I/O, corrupt, full, cannot open, no database.
            code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 11 | 13 | 14 | 26))
        }
        _ => false,
    }
}

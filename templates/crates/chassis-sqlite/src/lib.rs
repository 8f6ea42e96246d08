//! The service's own SQLite database: nobody else opens it, and the service brings its schema up to date itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chassis::Error;
use chassis::config::millis;
use chassis::health::Outcome;
use chassis::startup::{Failure, wait_for};
pub use chassis_database::schema::Step;
use chassis_database::schema::migrator;
use serde::Deserialize;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlitePool};

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

/// Opens the database and applies the steps that it lacks. Waits for one that is not there yet, or locked.
pub async fn open(config: &Sqlite, schema: &[Step]) -> Result<SqlitePool, Error> {
    wait_for("store", || try_to_open(config, schema)).await
}

async fn try_to_open(config: &Sqlite, schema: &[Step]) -> Result<SqlitePool, Failure> {
    let path = Path::new(&config.path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout)
        // Readers and the writer do not block each other; a crash of the process loses nothing.
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePoolOptions::new().acquire_timeout(config.acquire_timeout);
    let pool = if config.path == ":memory:" {
        // Each connection would be a database of its own, and gone with it.
        pool.max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        make(path, &options).await?;
        only_to(path, pool.max_connections(config.max_connections))
    };
    let pool = pool
        .connect_with(options)
        .await
        .map_err(|error| cannot("open", path, error))?;
    match migrator(schema).run(&pool).await {
        Ok(()) => Ok(pool),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(cannot("bring up to date", path, error))
        }
        // Another version of the service has been here.
        Err(error) => Err(Failure::Never(told("bring up to date", path, &error))),
    }
}

/// Makes the file and its directory where they are missing. Only at the start: a file that vanishes later is not replaced
/// by an empty one.
async fn make(path: &Path, options: &SqliteConnectOptions) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| Failure::NotYet(told("make the directory of", path, &error)))?;
    }
    let made = options.clone().create_if_missing(true).connect().await;
    let made = made.map_err(|error| cannot("make", path, error))?;
    made.close()
        .await
        .map_err(|error| cannot("make", path, error))
}

fn cannot(what: &str, path: &Path, error: sqlx::Error) -> Failure {
    let told = told(what, path, &error);
    match is_unavailable(&error) {
        true => Failure::NotYet(told),
        false => Failure::Never(told),
    }
}

fn told(what: &str, path: &Path, error: &dyn std::error::Error) -> Error {
    format!("cannot {what} {} (`store.path`): {error}", path.display()).into()
}

/// Lets go of connections to a file that another one has taken the place of: they would read and write what nobody sees.
fn only_to(path: &Path, pool: SqlitePoolOptions) -> SqlitePoolOptions {
    let path = path.to_owned();
    // Which file was there, and since when.
    let seen = Arc::new(Mutex::new((identity(&path), Instant::now())));
    pool.before_acquire(move |_, connection| {
        let now = identity(&path);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != now {
            *seen = (now, Instant::now());
        }
        let is_younger = connection.age < seen.1.elapsed();
        Box::pin(std::future::ready(Ok(now.is_some() && is_younger)))
    })
}

/// What tells a file from another of the same name.
#[cfg(unix)]
fn identity(path: &Path) -> Option<impl Copy + PartialEq + use<>> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    // The number may be given again, to the next file.
    Some((file.dev(), file.ino(), file.created().ok()))
}

/// What tells a file from another of the same name. A file that is open keeps its name here.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<impl Copy + PartialEq + use<>> {
    path.exists().then_some(())
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

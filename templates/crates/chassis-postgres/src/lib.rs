//! The service's own PostgreSQL database: nobody else uses it, and the service brings its schema up to date itself.

use chassis::Error;
use chassis::config::ConfigError;
use chassis::health::Outcome;
use chassis::startup::{Failure, wait_for};
pub use chassis_database::schema::Step;
use chassis_database::schema::migrator;
use chassis_database::server::{Database, SslMode};
use secrecy::ExposeSecret;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::timeout;

/// Connections to the database, each made when it is needed. One that the server has closed is noticed and made again.
pub fn pool(config: &Database) -> Result<PgPool, ConfigError> {
    let millis = config.statement_timeout.as_millis().to_string();
    let options = options(config)?.options([("statement_timeout", millis)]);
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout);
    Ok(pool.connect_lazy_with(options))
}

/// Applies the steps that the database lacks. Waits for a server that is not there yet, and for another replica that is
/// doing the same.
pub async fn bring_up_to_date(config: &Database, schema: &[Step]) -> Result<(), Error> {
    let options = options(config)?;
    wait_for("store", || migrate(config, &options, schema)).await
}

async fn migrate(
    config: &Database,
    options: &PgConnectOptions,
    schema: &[Step],
) -> Result<(), Failure> {
    // A pool would only say that it has waited; this says why.
    let connected = timeout(config.acquire_timeout, options.connect()).await;
    let connected = connected.map_err(|late| Failure::NotYet(config.told("reach", &late)))?;
    let connection = connected.map_err(|error| config.failed("reach", &error, is_late(&error)))?;
    _ = connection.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(config.acquire_timeout)
        .connect_lazy_with(options.clone());
    let migrated = migrator(schema).run(&pool).await;
    // The lock goes with the connection.
    pool.close().await;
    match migrated {
        Ok(()) => Ok(()),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(config.failed("bring up to date", &error, is_late(&error)))
        }
        // Another version of the service has been here.
        Err(error) => Err(Failure::Never(config.told("bring up to date", &error))),
    }
}

fn options(config: &Database) -> Result<PgConnectOptions, ConfigError> {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.user)
        .ssl_mode(match config.ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(file) = config.authorities()? {
        options = options.ssl_root_cert(file);
    }
    if let Some(password) = config.secret()? {
        options = options.password(password.expose_secret());
    }
    Ok(options)
}

/// A readiness check: the database answers, and may be written to. After a failover the old one may not.
pub fn check(pool: PgPool) -> impl Fn() -> Outcome + Send + Sync + 'static {
    move || {
        let pool = pool.clone();
        Box::pin(async move {
            let read_only = sqlx::query_scalar::<_, String>("SHOW transaction_read_only");
            match &*read_only.fetch_one(&pool).await? {
                "off" => Ok(()),
                _ => Err("it can only be read".into()),
            }
        })
    }
}

/// Whether the database is gone, full, busy or refuses this service: a matter of waiting or of its owner, not of this
/// request.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    // The user or the password is not accepted any more.
    is_late(error) || code(error).is_some_and(|code| code.starts_with("28"))
}

/// Whether it may do better soon.
fn is_late(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls};
    // Connection failures, serialization failures and deadlocks, too little of something, stopped by a person, the
    // system around it: https://www.postgresql.org/docs/current/errcodes-appendix.html
    const CLASSES: &[&str] = &["08", "40", "53", "57", "58"];
    // Read only, and a lock that cannot be had.
    const CODES: &[&str] = &["25006", "55P03"];
    matches!(error, Io(_) | Tls(_) | PoolClosed | PoolTimedOut)
        || code(error).is_some_and(|code| {
            CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&&*code)
        })
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

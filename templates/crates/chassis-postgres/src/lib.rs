//! The service's own PostgreSQL database: nobody else uses it, and the service brings its schema up to date itself.

use chassis::Error;
use chassis::config::ConfigError;
use chassis::health::Outcome;
use chassis::startup::{Failure, wait_for};
pub use chassis_database::schema::Step;
use chassis_database::schema::migrator;
use chassis_database::server::{Database, SslMode};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Connections to the database, each made when it is needed. One that the server has closed is noticed and made again.
pub fn pool(config: &Database) -> Result<PgPool, ConfigError> {
    let millis = config.statement_timeout.as_millis().to_string();
    let options = options(config)?.options([("statement_timeout", millis)]);
    Ok(config.pool().connect_lazy_with(options))
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
    let connection: PgPool = config.reach(options, is_late).await?;
    let migrated = migrator(schema).run(&connection).await;
    // The lock goes with it.
    connection.close().await;
    config.migrated(migrated, is_late)
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

//! The service's own MySQL or MariaDB database: nobody else uses it, and the service brings its schema up to date itself.

use chassis::Error;
use chassis::config::ConfigError;
use chassis::health::Outcome;
use chassis::startup::{Failure, wait_for};
pub use chassis_database::schema::Step;
use chassis_database::schema::migrator;
use chassis_database::server::{Database, SslMode};
use secrecy::ExposeSecret;
use sqlx::migrate::MigrateError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlSslMode};

/// How long one wait for another replica's steps lasts, in seconds. The next one follows.
const TURN: u32 = 60;

/// Connections to the database, each made when it is needed. One that the server has closed is noticed and made again.
pub fn pool(config: &Database) -> Result<MySqlPool, ConfigError> {
    let millis = config.statement_timeout.as_millis() as u64;
    let pool = config
        .pool()
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // Each of the two reads its own comment only. MySQL limits what reads, MariaDB every statement.
                let limit = "SET SESSION /*!50708 max_execution_time = ? */ /*M!100101 max_statement_time = ? / 1000 */";
                sqlx::query(limit).bind(millis).execute(connection).await?;
                Ok(())
            })
        });
    Ok(pool.connect_lazy_with(options(config)?))
}

/// Applies the steps that the database lacks. Waits for a server that is not there yet, and for another replica that is
/// doing the same. A step that changes tables cannot be taken back: one that fails in the middle needs a person.
pub async fn bring_up_to_date(config: &Database, schema: &[Step]) -> Result<(), Error> {
    let options = options(config)?;
    wait_for("store", || migrate(config, &options, schema)).await
}

async fn migrate(
    config: &Database,
    options: &MySqlConnectOptions,
    schema: &[Step],
) -> Result<(), Failure> {
    // It holds the lock.
    let connection = config.reach(options, is_late).await?;
    let migrated = migrate_in_turn(&connection, schema).await;
    connection.close().await;
    match migrated {
        Ok(false) => Err(Failure::NotYet("another replica is not done yet".into())),
        migrated => config.migrated(migrated.map(drop), is_late),
    }
}

/// False when it was not its turn for too long. The lock is of our own: sqlx waits for its one without a limit, which
/// MariaDB refuses, and then goes on without.
async fn migrate_in_turn(pool: &MySqlPool, schema: &[Step]) -> Result<bool, MigrateError> {
    let lock = "SELECT GET_LOCK(SHA1(CONCAT('the schema of ', DATABASE())), ?)";
    let locked = sqlx::query_scalar::<_, Option<i64>>(lock).bind(TURN);
    if locked.fetch_one(pool).await? != Some(1) {
        return Ok(false);
    }
    migrator(schema).set_locking(false).run(pool).await?;
    Ok(true)
}

fn options(config: &Database) -> Result<MySqlConnectOptions, ConfigError> {
    let mut options = MySqlConnectOptions::new()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.user)
        .ssl_mode(match config.ssl_mode {
            SslMode::Disable => MySqlSslMode::Disabled,
            SslMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    if let Some(file) = config.authorities()? {
        options = options.ssl_ca(file);
    }
    if let Some(password) = config.secret()? {
        options = options.password(password.expose_secret());
    }
    Ok(options)
}

/// A readiness check: the database answers, and may be written to. After a failover the old one may not.
pub fn check(pool: MySqlPool) -> impl Fn() -> Outcome + Send + Sync + 'static {
    move || {
        let pool = pool.clone();
        Box::pin(async move {
            let read_only = sqlx::query_scalar::<_, String>("SELECT CAST(@@read_only AS CHAR)");
            match &*read_only.fetch_one(&pool).await? {
                "0" | "OFF" => Ok(()),
                _ => Err("it can only be read".into()),
            }
        })
    }
}

/// Whether the database is gone, full, busy or refuses this service: a matter of waiting or of its owner, not of this
/// request.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    // The user or the password is not accepted any more.
    is_late(error) || number(error).is_some_and(|number| [1044, 1045, 1698].contains(&number))
}

/// Whether it may do better soon.
fn is_late(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls};
    // The disk or a table is full; too many connections, of all or of this user.
    const FULL: &[u16] = &[1021, 1114, 1040, 1203];
    // It shuts down, or may only be read.
    const CLOSED: &[u16] = &[1053, 1290, 1836];
    // A lock that cannot be had, a deadlock; stopped by a person, or after too long.
    const BUSY: &[u16] = &[1205, 1213, 1317, 1927, 1969, 3024];
    matches!(error, Io(_) | Tls(_) | PoolClosed | PoolTimedOut)
        || number(error)
            .is_some_and(|number| [FULL, CLOSED, BUSY].iter().any(|all| all.contains(&number)))
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

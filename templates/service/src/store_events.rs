//! How many events there were, in the service's own database, and which.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

//% if database
use chassis::config::{ConfigError, millis};
//% else
use chassis::config::millis;
//% endif
use chassis::health::Outcome;
//% if database
use chassis_database::server::Database;
//% endif
use chassis_messaging::consumer::Handled;
//% if store == "mysql"
use chassis_mysql::Step;
//% endif
//% if store == "postgres"
use chassis_postgres::Step;
//% endif
//% if store == "sqlite"
use chassis_sqlite::{Sqlite, Step};
//% endif
use serde::Deserialize;
//% if store == "mysql"
use sqlx::MySqlPool;
//% endif
//% if store == "postgres"
use sqlx::PgPool;
//% endif
//% if store == "sqlite"
use sqlx::SqlitePool;
//% endif

const SCHEMA: &[Step] = &[(1, "tallies", include_str!("../migrations/0001_tallies.sql"))];

#[derive(Clone)]
pub struct Store {
    //% if store == "mysql"
    pool: MySqlPool,
    //% endif
    //% if store == "postgres"
    pool: PgPool,
    //% endif
    //% if store == "sqlite"
    pool: SqlitePool,
    //% endif
}

/// How long it is known which messages were handled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// Longer than the broker may still deliver them again.
    #[serde(rename = "keep_ms", deserialize_with = "millis")]
    pub keep: Duration,
    /// How often older ones are forgotten.
    #[serde(rename = "sweep_ms", deserialize_with = "millis")]
    pub sweep: Duration,
}

//% if store == "mysql"
/// Waits for the database, and applies the steps of the schema that it lacks.
pub async fn bring_up_to_date(config: &Database) -> Result<(), chassis::Error> {
    chassis_mysql::bring_up_to_date(config, SCHEMA).await
}

//% endif
//% if store == "postgres"
/// Waits for the database, and applies the steps of the schema that it lacks.
pub async fn bring_up_to_date(config: &Database) -> Result<(), chassis::Error> {
    chassis_postgres::bring_up_to_date(config, SCHEMA).await
}

//% endif
impl Store {
    //% if store == "mysql"
    /// Connects when it is used.
    pub fn new(config: &Database) -> Result<Self, ConfigError> {
        Ok(Self {
            pool: chassis_mysql::pool(config)?,
        })
    }
    //% endif
    //% if store == "postgres"
    /// Connects when it is used.
    pub fn new(config: &Database) -> Result<Self, ConfigError> {
        Ok(Self {
            pool: chassis_postgres::pool(config)?,
        })
    }
    //% endif
    //% if store == "sqlite"
    pub async fn open(config: &Sqlite) -> Result<Self, chassis::Error> {
        Ok(Self {
            pool: chassis_sqlite::open(config, SCHEMA).await?,
        })
    }
    //% endif

    /// For readiness: the database answers.
    //% if store == "mysql"
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + use<> {
        chassis_mysql::check(self.pool.clone())
    }
    //% endif
    //% if store == "postgres"
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + use<> {
        chassis_postgres::check(self.pool.clone())
    }
    //% endif
    //% if store == "sqlite"
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + use<> {
        chassis_sqlite::check(self.pool.clone())
    }
    //% endif

    /// Counts an event, once however often it comes: its id is in the inbox with the transaction that has counted it.
    pub async fn count(&self, id: &str, kind: &str, quantity: u32) -> Result<Handled, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        //% if store == "postgres"
        let received = sqlx::query("INSERT INTO inbox (message_id, received_at) VALUES ($1, $2)")
            .bind(id)
            .bind(seconds(SystemTime::now()))
            .execute(&mut *transaction)
            .await;
        //% else
        let received = sqlx::query("INSERT INTO inbox (message_id, received_at) VALUES (?, ?)")
            .bind(id)
            .bind(seconds(SystemTime::now()))
            .execute(&mut *transaction)
            .await;
        //% endif
        match received {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Handled::Before);
            }
            received => received?,
        };
        //% if store == "mysql"
        let count = "INSERT INTO tallies (kind, events, quantity) VALUES (?, 1, ?) \
                     ON DUPLICATE KEY UPDATE events = events + 1, quantity = quantity + VALUES(quantity)";
        //% endif
        //% if store == "postgres"
        let count = "INSERT INTO tallies (kind, events, quantity) VALUES ($1, 1, $2) \
                     ON CONFLICT (kind) DO UPDATE \
                     SET events = tallies.events + 1, quantity = tallies.quantity + excluded.quantity";
        //% endif
        //% if store == "sqlite"
        let count = "INSERT INTO tallies (kind, events, quantity) VALUES (?, 1, ?) \
                     ON CONFLICT (kind) DO UPDATE \
                     SET events = events + 1, quantity = quantity + excluded.quantity";
        //% endif
        sqlx::query(count)
            .bind(kind)
            .bind(i64::from(quantity))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Handled::Now)
    }

    /// How many events of a kind there were, and the sum of their quantities.
    pub async fn tally(&self, kind: &str) -> Result<(i64, i64), sqlx::Error> {
        //% if store == "postgres"
        let tally = sqlx::query_as("SELECT events, quantity FROM tallies WHERE kind = $1");
        //% else
        let tally = sqlx::query_as("SELECT events, quantity FROM tallies WHERE kind = ?");
        //% endif
        let tally = tally.bind(kind).fetch_optional(&self.pool).await?;
        Ok(tally.unwrap_or_default())
    }

    async fn forget_before(&self, time: SystemTime) -> Result<u64, sqlx::Error> {
        //% if store == "postgres"
        let delete = sqlx::query("DELETE FROM inbox WHERE received_at < $1");
        //% else
        let delete = sqlx::query("DELETE FROM inbox WHERE received_at < ?");
        //% endif
        let deleted = delete.bind(seconds(time)).execute(&self.pool).await?;
        Ok(deleted.rows_affected())
    }
}

/// Forgets messages that do not come again, from time to time, for as long as the service works.
pub async fn forget_old_messages(store: Store, inbox: Inbox) {
    let mut sweeps = tokio::time::interval(inbox.sweep);
    loop {
        sweeps.tick().await;
        let long_ago = SystemTime::now()
            .checked_sub(inbox.keep)
            .unwrap_or(UNIX_EPOCH);
        match store.forget_before(long_ago).await {
            Ok(forgotten) => tracing::debug!(forgotten, "the inbox was swept"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the inbox could not be swept");
            }
        }
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

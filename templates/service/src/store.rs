//! The items, in the service's own database.

//% if database
use chassis::config::ConfigError;
//% endif
use chassis::health::Outcome;
//% if database
use chassis_database::server::Database;
//% endif
//% if store == "mysql"
use chassis_mysql::Step;
//% endif
//% if store == "postgres"
use chassis_postgres::Step;
//% endif
//% if store == "sqlite"
use chassis_sqlite::{Sqlite, Step};
//% endif
//% if protocol == "rest"
use serde::{Deserialize, Serialize};
//% elif broker != "none"
use serde::Serialize;
//% endif
//% if store == "mysql"
use sqlx::MySqlPool;
//% endif
//% if store == "postgres"
use sqlx::PgPool;
//% endif
//% if store == "sqlite"
use sqlx::SqlitePool;
//% endif

//% if broker != "none"
use crate::outbox::{self, Waiting};

//% endif
pub const MAX_NAME: usize = 100;
pub const MAX_QUANTITY: u32 = 1_000_000;
//% if protocol == "rest"
#[cfg(test)]
const NAME: &str = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
//% endif

//% if broker == "none"
const SCHEMA: &[Step] = &[(1, "items", include_str!("../migrations/0001_items.sql"))];
//% else
const SCHEMA: &[Step] = &[
    (1, "items", include_str!("../migrations/0001_items.sql")),
    (2, "outbox", include_str!("../migrations/0002_outbox.sql")),
];
//% endif

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

//% if protocol == "rest"
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
//% elif broker != "none"
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
//% else
#[derive(Clone, Debug, PartialEq, Eq)]
//% endif
pub struct Item {
    pub id: i64,
    pub name: String,
    pub quantity: u32,
}

//% if broker != "none"
/// What is said of an item that is there no more.
#[derive(Serialize)]
struct Removed {
    id: i64,
}

//% endif
/// An item before it is stored.
//% if protocol == "rest"
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
//% else
#[derive(Clone, Debug)]
//% endif
pub struct Draft {
    /// Begins with no space and holds no control characters.
    //% if protocol == "rest"
    #[cfg_attr(test, schemars(length(min = 1, max = MAX_NAME)))]
    #[cfg_attr(test, schemars(regex(pattern = NAME)))]
    //% endif
    pub name: String,
    //% if protocol == "rest"
    #[cfg_attr(test, schemars(range(max = MAX_QUANTITY)))]
    #[serde(deserialize_with = "chassis_rest::extract::whole")]
    //% endif
    pub quantity: u32,
}

impl Draft {
    fn stored_as(&self, id: i64) -> Item {
        Item {
            id,
            name: self.name.clone(),
            quantity: self.quantity,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such item")]
    NotFound,
    #[error("the name is taken")]
    NameTaken,
    #[error(transparent)]
    Database(sqlx::Error),
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
    //% if broker != "none"

    /// The events that are not published yet.
    pub fn waiting(&self) -> Waiting {
        Waiting::new(self.pool.clone())
    }
    //% endif

    //% if store == "mysql"
    pub async fn create(&self, draft: &Draft) -> Result<Item, StoreError> {
        //% if broker != "none"
        let mut transaction = self.pool.begin().await?;
        //% endif
        let created = sqlx::query("INSERT INTO items (name, quantity) VALUES (?, ?)")
            .bind(&draft.name)
            .bind(draft.quantity)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        let item = draft.stored_as(created.last_insert_id().cast_signed());
        //% if broker != "none"
        outbox::write(&mut transaction, "items.created", item.id, &item).await?;
        transaction.commit().await?;
        //% endif
        Ok(item)
    }
    //% endif
    //% if store == "postgres"
    pub async fn create(&self, draft: &Draft) -> Result<Item, StoreError> {
        //% if broker != "none"
        let mut transaction = self.pool.begin().await?;
        //% endif
        let insert = "INSERT INTO items (name, quantity) VALUES ($1, $2) RETURNING id";
        let id = sqlx::query_scalar(insert)
            .bind(&draft.name)
            .bind(draft.quantity.cast_signed())
            //% if broker == "none"
            .fetch_one(&self.pool)
            //% else
            .fetch_one(&mut *transaction)
            //% endif
            .await?;
        let item = draft.stored_as(id);
        //% if broker != "none"
        outbox::write(&mut transaction, "items.created", item.id, &item).await?;
        transaction.commit().await?;
        //% endif
        Ok(item)
    }
    //% endif
    //% if store == "sqlite"
    // No `RETURNING`: its row comes before the commit, and a commit that fails after it goes unnoticed.
    pub async fn create(&self, draft: &Draft) -> Result<Item, StoreError> {
        //% if broker != "none"
        let mut transaction = self.pool.begin().await?;
        //% endif
        let created = sqlx::query("INSERT INTO items (name, quantity) VALUES (?, ?)")
            .bind(&draft.name)
            .bind(draft.quantity)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        let item = draft.stored_as(created.last_insert_rowid());
        //% if broker != "none"
        outbox::write(&mut transaction, "items.created", item.id, &item).await?;
        transaction.commit().await?;
        //% endif
        Ok(item)
    }
    //% endif

    /// Items with an id above `after`, in id order.
    pub async fn list(&self, after: i64, limit: u32) -> Result<Vec<Item>, StoreError> {
        //% if store == "postgres"
        let select = "SELECT id, name, quantity FROM items WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = sqlx::query_as(select)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        //% else
        let rows =
            sqlx::query_as("SELECT id, name, quantity FROM items WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        //% endif
        Ok(rows.into_iter().map(item).collect())
    }

    pub async fn read(&self, id: i64) -> Result<Item, StoreError> {
        //% if store == "postgres"
        let row = sqlx::query_as("SELECT id, name, quantity FROM items WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        //% else
        let row = sqlx::query_as("SELECT id, name, quantity FROM items WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        //% endif
        row.map(item).ok_or(StoreError::NotFound)
    }

    pub async fn replace(&self, id: i64, draft: &Draft) -> Result<Item, StoreError> {
        //% if broker != "none"
        let mut transaction = self.pool.begin().await?;
        //% endif
        //% if store == "postgres"
        let replaced = sqlx::query("UPDATE items SET name = $1, quantity = $2 WHERE id = $3")
            .bind(&draft.name)
            .bind(draft.quantity.cast_signed())
            .bind(id)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        //% else
        let replaced = sqlx::query("UPDATE items SET name = ?, quantity = ? WHERE id = ?")
            .bind(&draft.name)
            .bind(draft.quantity)
            .bind(id)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        //% endif
        match replaced.rows_affected() {
            0 => Err(StoreError::NotFound),
            //% if broker == "none"
            _ => Ok(draft.stored_as(id)),
            //% else
            _ => {
                let item = draft.stored_as(id);
                outbox::write(&mut transaction, "items.replaced", id, &item).await?;
                transaction.commit().await?;
                Ok(item)
            }
            //% endif
        }
    }

    pub async fn remove(&self, id: i64) -> Result<(), StoreError> {
        //% if broker != "none"
        let mut transaction = self.pool.begin().await?;
        //% endif
        //% if store == "postgres"
        let removed = sqlx::query("DELETE FROM items WHERE id = $1")
            .bind(id)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        //% else
        let removed = sqlx::query("DELETE FROM items WHERE id = ?")
            .bind(id)
            //% if broker == "none"
            .execute(&self.pool)
            //% else
            .execute(&mut *transaction)
            //% endif
            .await?;
        //% endif
        match removed.rows_affected() {
            0 => Err(StoreError::NotFound),
            //% if broker == "none"
            _ => Ok(()),
            //% else
            _ => {
                outbox::write(&mut transaction, "items.removed", id, &Removed { id }).await?;
                transaction.commit().await?;
                Ok(())
            }
            //% endif
        }
    }
}

//% if store == "postgres"
/// The engine has no unsigned numbers; the schema allows none below 0.
fn item((id, name, quantity): (i64, String, i32)) -> Item {
    Item {
        id,
        name,
        quantity: quantity.cast_unsigned(),
    }
}
//% else
fn item((id, name, quantity): (i64, String, u32)) -> Item {
    Item { id, name, quantity }
}
//% endif

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::NameTaken,
            _ => Self::Database(error),
        }
    }
}

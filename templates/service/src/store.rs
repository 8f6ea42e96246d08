//! The items, in the service's own database.

use chassis::health::Outcome;
use chassis::sqlite::{self, Sqlite, Step};
//% if protocol == "rest"
use serde::{Deserialize, Serialize};
//% endif
use sqlx::SqlitePool;

pub const MAX_NAME: usize = 100;
pub const MAX_QUANTITY: u32 = 1_000_000;
//% if protocol == "rest"
#[cfg(test)]
const NAME: &str = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
//% endif

const SCHEMA: &[Step] = &[(1, "items", include_str!("../migrations/0001_items.sql"))];

#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
}

//% if protocol == "rest"
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
//% else
#[derive(Clone, Debug, PartialEq, Eq)]
//% endif
pub struct Item {
    pub id: i64,
    pub name: String,
    pub quantity: u32,
}

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
    #[serde(deserialize_with = "chassis::extract::whole")]
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

impl Store {
    pub async fn open(config: &Sqlite) -> Result<Self, chassis::Error> {
        Ok(Self {
            pool: sqlite::open(config, SCHEMA).await?,
        })
    }

    /// For readiness: the database answers.
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + use<> {
        sqlite::check(self.pool.clone())
    }

    // No `RETURNING`: its row comes before the commit, and a commit that fails after it goes unnoticed.
    pub async fn create(&self, draft: &Draft) -> Result<Item, StoreError> {
        let created = sqlx::query("INSERT INTO items (name, quantity) VALUES (?, ?)")
            .bind(&draft.name)
            .bind(draft.quantity)
            .execute(&self.pool)
            .await?;
        Ok(draft.stored_as(created.last_insert_rowid()))
    }

    /// Items with an id above `after`, in id order.
    pub async fn list(&self, after: i64, limit: u32) -> Result<Vec<Item>, StoreError> {
        let rows =
            sqlx::query_as("SELECT id, name, quantity FROM items WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(item).collect())
    }

    pub async fn read(&self, id: i64) -> Result<Item, StoreError> {
        let row = sqlx::query_as("SELECT id, name, quantity FROM items WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(item).ok_or(StoreError::NotFound)
    }

    pub async fn replace(&self, id: i64, draft: &Draft) -> Result<Item, StoreError> {
        let replaced = sqlx::query("UPDATE items SET name = ?, quantity = ? WHERE id = ?")
            .bind(&draft.name)
            .bind(draft.quantity)
            .bind(id)
            .execute(&self.pool)
            .await?;
        match replaced.rows_affected() {
            0 => Err(StoreError::NotFound),
            _ => Ok(draft.stored_as(id)),
        }
    }

    pub async fn remove(&self, id: i64) -> Result<(), StoreError> {
        let removed = sqlx::query("DELETE FROM items WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        match removed.rows_affected() {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}

fn item((id, name, quantity): (i64, String, u32)) -> Item {
    Item { id, name, quantity }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::NameTaken,
            _ => Self::Database(error),
        }
    }
}

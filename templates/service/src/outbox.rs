//! Events that wait in the service's own database until the broker has them. They are written in the transaction that
//! they tell of: a crash loses none of the two, and keeps none without the other.

use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{Published, Publisher};
use chassis_messaging::message::Message;
use chassis_messaging::metrics;
use chassis_messaging::outbox::Outbox;
use serde::Serialize;
//% if store == "mysql"
use sqlx::{MySql as Engine, MySqlConnection as Connection, MySqlPool as Pool};
//% endif
//% if store == "postgres"
use sqlx::{PgConnection as Connection, PgPool as Pool, Postgres as Engine};
//% endif
use sqlx::{QueryBuilder, Row};
//% if store == "sqlite"
use sqlx::{Sqlite as Engine, SqliteConnection as Connection, SqlitePool as Pool};
//% endif

/// Writes down what has happened, and to what. It is published after the transaction, and only if that succeeds.
pub async fn write(
    transaction: &mut Connection,
    kind: &str,
    key: i64,
    body: &impl Serialize,
) -> Result<(), sqlx::Error> {
    let message = Message::new(kind, key, body);
    let message = message.map_err(|error| sqlx::Error::Encode(error.into()))?;
    let insert = "INSERT INTO outbox (message_id, kind, message_key, trace, body) ";
    let mut insert = QueryBuilder::<Engine>::new(insert);
    insert.push_values([message], |mut row, message| {
        row.push_bind(message.id)
            .push_bind(message.kind)
            .push_bind(message.key)
            .push_bind(message.trace)
            .push_bind(message.body);
    });
    insert.build().execute(transaction).await?;
    Ok(())
}

/// The events that are not published yet.
pub struct Waiting {
    pool: Pool,
}

impl Waiting {
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    async fn oldest(
        &self,
        connection: &mut Connection,
        batch: u32,
    ) -> Result<(Vec<i64>, Vec<Message>), sqlx::Error> {
        let select =
            "SELECT id, message_id, kind, message_key, trace, body FROM outbox ORDER BY id LIMIT ";
        let mut select = QueryBuilder::<Engine>::new(select);
        select.push_bind(i64::from(batch));
        let rows = select.build().fetch_all(connection).await?;
        let message = |row: &<Engine as sqlx::Database>::Row| {
            Ok(Message {
                id: row.try_get("message_id")?,
                kind: row.try_get("kind")?,
                key: row.try_get("message_key")?,
                trace: row.try_get("trace")?,
                body: row.try_get("body")?,
            })
        };
        let ids = rows
            .iter()
            .map(|row| row.try_get("id"))
            .collect::<Result<_, _>>()?;
        let messages = rows
            .iter()
            .map(message)
            .collect::<Result<_, sqlx::Error>>()?;
        Ok((ids, messages))
    }

    async fn forget(
        &self,
        connection: &mut Connection,
        published: &[i64],
    ) -> Result<(), sqlx::Error> {
        let mut delete = QueryBuilder::<Engine>::new("DELETE FROM outbox WHERE id IN (");
        let mut ids = delete.separated(", ");
        for id in published {
            ids.push_bind(id);
        }
        delete.push(")").build().execute(connection).await?;
        Ok(())
    }

    async fn publish(&self, publisher: &dyn Publisher, batch: u32) -> Result<usize, Error> {
        //% if store == "sqlite"
        // No other replica has this file, and a transaction would let no request write meanwhile.
        let mut connection = self.pool.acquire().await?;
        let (ids, messages) = self.oldest(&mut connection, batch).await?;
        drop(connection);
        //% else
        let mut transaction = self.pool.begin().await?;
        // Whose turn it is to publish. The row is free again when this transaction ends, or its replica.
        let turn = "SELECT id FROM outbox_turn WHERE id = 1 FOR UPDATE SKIP LOCKED";
        let turn = QueryBuilder::<Engine>::new(turn)
            .build()
            .fetch_optional(&mut *transaction)
            .await?;
        if turn.is_none() {
            return Ok(0);
        }
        let (ids, messages) = self.oldest(&mut transaction, batch).await?;
        //% endif
        if messages.is_empty() {
            return Ok(0);
        }
        let Published { confirmed, failure } = publisher.publish(&messages).await;
        metrics::PUBLISHED.inc_by(confirmed as u64);
        if let Some(published) = ids
            .get(..confirmed)
            .filter(|published| !published.is_empty())
        {
            //% if store == "sqlite"
            let mut connection = self.pool.acquire().await?;
            self.forget(&mut connection, published).await?;
            //% else
            self.forget(&mut transaction, published).await?;
            transaction.commit().await?;
            //% endif
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(confirmed),
        }
    }
}

impl Outbox for Waiting {
    fn publish_oldest<'a>(
        &'a self,
        publisher: &'a dyn Publisher,
        batch: u32,
    ) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(self.publish(publisher, batch))
    }
}

use diesel::prelude::*;

diesel::table! {
    orders (id) {
        id -> BigInt,
        state -> Text,
    }
}

#[derive(Clone)]
pub struct Store {
    url: String,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub async fn place(&self, id: i64) -> QueryResult<()> {
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || write(&url, id)).await.unwrap_or(Ok(()))
    }
}

use self::orders::dsl::*;

fn write(url: &str, row: i64) -> QueryResult<()> {
    let mut connection = PgConnection::establish(url).expect("a database");
    diesel::update(orders.filter(id.eq(row))).set(state.eq("paid")).execute(&mut connection).map(|_| ())
}

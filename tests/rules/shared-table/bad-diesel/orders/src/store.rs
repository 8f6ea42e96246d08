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

fn write(url: &str, id: i64) -> QueryResult<()> {
    let mut connection = PgConnection::establish(url).expect("a database");
    diesel::insert_into(orders::table).values(orders::id.eq(id)).execute(&mut connection).map(|_| ())
}

use diesel::prelude::*;

use crate::schema::orders;

#[derive(Clone)]
pub struct Store {
    url: String,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub async fn place(&self, id: i64) -> QueryResult<()> {
        let mut connection = SqliteConnection::establish(&self.url).expect("a database");
        diesel::insert_into(orders::table).values(orders::id.eq(id)).execute(&mut connection).map(drop)
    }
}

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;

#[derive(Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
        Self { pool: options.connect_lazy(url).expect("a database's URL") }
    }

    pub async fn place(&self, id: i64) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id).execute(&self.pool).await.map(drop)
    }
}

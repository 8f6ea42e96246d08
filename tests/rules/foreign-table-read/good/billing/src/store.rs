#[derive(Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { pool: options().connect_lazy(url).expect("a valid URL") }
    }

    pub async fn place(&self, id: i64) -> sqlx::Result<()> {
        sqlx::query("SELECT id FROM placed_orders WHERE id = $1").bind(id).execute(&self.pool).await?;
        sqlx::query("SELECT id FROM outbox WHERE id = $1").bind(id).execute(&self.pool).await?;
        sqlx::query("SELECT id FROM legacy WHERE id = $1").bind(id).execute(&self.pool).await?;
        sqlx::query("WITH orders AS (SELECT 1 AS id) SELECT id FROM orders WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

fn options() -> sqlx::postgres::PgPoolOptions {
    sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(1))
}

#[derive(Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { pool: sqlx::PgPool::connect_lazy(url).expect("a valid URL") }
    }

    pub async fn place(&self, id: i64) -> sqlx::Result<()> {
        sqlx::query_scalar!("WITH o AS (SELECT id FROM orders WHERE id = $1) SELECT id FROM o", id).fetch_one(&self.pool).await?;
        Ok(())
    }
}

#[derive(Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { pool: sqlx::PgPool::connect_lazy(url).expect("a valid URL") }
    }

    pub async fn place(&self, id: i64) -> sqlx::Result<()> {
        let statement = format!("DELETE FROM shop.orders WHERE {}", "id = $1");
        sqlx::query(&statement).bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

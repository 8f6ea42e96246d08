#[derive(Clone)]
pub struct Store {
    pool: sqlx::PgPool,
}

impl Store {
    pub fn connect(url: &str) -> Self {
        Self { pool: options().connect_lazy(url).expect("a valid URL") }
    }

    pub async fn place(&self, id: i64) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO invoices (id) VALUES ($1)").bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

fn options() -> sqlx::postgres::PgPoolOptions {
    sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(1))
}

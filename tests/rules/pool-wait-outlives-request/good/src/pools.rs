use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::Orders;

type Failure = Box<dyn std::error::Error>;

const WAIT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Pools {
    pub orders: Orders,
    pub prices: PgPool,
    pub stock: sea_orm::DatabaseConnection,
    pub rates: sqlx::AnyPool,
    pub carts: bb8::Pool<bb8_postgres::PostgresConnectionManager<tokio_postgres::NoTls>>,
}

impl Pools {
    pub async fn new() -> Result<Self, Failure> {
        let url = std::env::var("DATABASE_URL")?;
        let manager = bb8_postgres::PostgresConnectionManager::new_from_stringlike(&url, tokio_postgres::NoTls)?;
        let mut stock = sea_orm::ConnectOptions::new(&url);
        stock.acquire_timeout(WAIT);
        // What was meant for a pool that nobody opens.
        let mut unused = sea_orm::ConnectOptions::new(&url);
        unused.max_connections(4);
        let mut carts = bb8::Pool::builder().max_size(8);
        if let Ok(millis) = std::env::var("WAIT_MS") {
            carts = carts.connection_timeout(Duration::from_millis(millis.parse()?));
        }
        Ok(Self {
            orders: limited(PgPoolOptions::new()).connect(&url).await?,
            prices: PgPoolOptions::new().acquire_timeout(WAIT).connect(&url).await?,
            stock: sea_orm::Database::connect(stock).await?,
            rates: sqlx::pool::PoolOptions::new().connect(&format!("sqlite:file:{}?mode=memory", "rates")).await?,
            carts: carts.build(manager).await?,
        })
    }
}

fn limited(options: PgPoolOptions) -> PgPoolOptions {
    options.acquire_timeout(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn connects() {
        let _ = sqlx::PgPool::connect("postgres://db").await;
    }
}

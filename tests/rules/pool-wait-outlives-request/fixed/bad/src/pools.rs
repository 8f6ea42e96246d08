use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::Orders;

type Failure = Box<dyn std::error::Error>;

#[derive(Clone)]
pub struct Pools {
    pub orders: Orders,
    pub prices: PgPool,
    pub slow: PgPool,
    pub stock: sea_orm::DatabaseConnection,
    pub carts: bb8::Pool<bb8_postgres::PostgresConnectionManager<tokio_postgres::NoTls>>,
}

impl Pools {
    pub async fn new() -> Result<Self, Failure> {
        let url = std::env::var("DATABASE_URL")?;
        let manager = bb8_postgres::PostgresConnectionManager::new_from_stringlike(&url, tokio_postgres::NoTls)?;
        let mut stock = sea_orm::ConnectOptions::new(&url);
        stock.max_connections(8);
        Ok(Self {
            orders: sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(2)).connect(&url).await?,
            prices: PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(2)).max_connections(16).connect(&url).await?,
            // Longer than the 5 s of a request.
            slow: PgPoolOptions::new().acquire_timeout(Duration::from_secs(10)).connect_lazy(&url)?,
            stock: sea_orm::Database::connect(stock).await?,
            carts: bb8::Pool::builder().connection_timeout(std::time::Duration::from_secs(2)).max_size(8).build(manager).await?,
        })
    }
}

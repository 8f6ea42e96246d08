use std::time::Duration;

use deadpool_postgres::{Config, Manager, Pool, PoolBuilder, PoolConfig, Runtime, Timeouts};
use tokio_postgres::NoTls;

type Failure = Box<dyn std::error::Error>;

fn manager() -> Result<Manager, Failure> {
    Ok(Manager::new(std::env::var("DATABASE_URL")?.parse()?, NoTls))
}

pub fn chosen() -> Result<Pool, Failure> {
    Ok(limited(Pool::builder(manager()?).max_size(16)).runtime(Runtime::Tokio1).build()?)
}

fn limited(builder: PoolBuilder) -> PoolBuilder {
    builder.wait_timeout(Some(Duration::from_secs(2)))
}

pub fn sized() -> Result<Pool, Failure> {
    let size = PoolConfig { timeouts: Timeouts::wait_millis(2000), ..PoolConfig::new(8) };
    Ok(Pool::builder(manager()?).config(size).runtime(Runtime::Tokio1).build()?)
}

/// What the configuration says of its pool is not to be seen here.
pub fn configured(given: Option<Config>) -> Result<Pool, Failure> {
    let mut config = Config::new();
    config.pool = Some(PoolConfig { timeouts: Timeouts::wait_millis(2000), ..PoolConfig::new(8) });
    let config = given.unwrap_or(config);
    Ok(config.create_pool(Some(Runtime::Tokio1), NoTls)?)
}

pub async fn bounded() -> Result<bool, Failure> {
    let pool = Pool::builder(manager()?).build()?;
    let taken = tokio::time::timeout(Duration::from_secs(1), pool.get()).await?;
    Ok(taken.is_ok())
}

use deadpool_postgres::{Config, Manager, Pool, PoolConfig, Runtime};
use tokio_postgres::NoTls;

type Failure = Box<dyn std::error::Error>;

fn manager() -> Result<Manager, Failure> {
    Ok(Manager::new(std::env::var("DATABASE_URL")?.parse()?, NoTls))
}

pub fn chosen() -> Result<Pool, Failure> {
    let builder = Pool::builder(manager()?).max_size(16).wait_timeout(Some(std::time::Duration::from_secs(2)));
    Ok(builder.runtime(Runtime::Tokio1).build()?)
}

pub fn sized() -> Result<Pool, Failure> {
    let size = PoolConfig::new(8);
    Ok(Pool::builder(manager()?).config(size).build()?)
}

pub fn configured() -> Result<Pool, Failure> {
    let mut config = Config::new();
    config.host = std::env::var("DATABASE_HOST").ok();
    Ok(config.create_pool(Some(Runtime::Tokio1), NoTls)?)
}

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncCommands, AsyncConnectionConfig};

const LIMIT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Cache {
    configured: MultiplexedConnection,
    set_later: MultiplexedConnection,
    around: MultiplexedConnection,
    manager: ConnectionManager,
}

impl Cache {
    pub async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let client = redis::Client::open(std::env::var("REDIS_URL")?)?;
        let config = AsyncConnectionConfig::new().set_response_timeout(LIMIT);
        let mut set_later = client.get_multiplexed_async_connection().await?;
        set_later.set_response_timeout(LIMIT);
        Ok(Self {
            configured: client.get_multiplexed_async_connection_with_config(&config).await?,
            set_later,
            around: client.get_multiplexed_async_connection().await?,
            manager: manager(client).await?,
        })
    }

    pub async fn get(&self, key: &str) -> redis::RedisResult<String> {
        self.configured.clone().get(key).await
    }

    pub async fn count(&self) -> Result<u64, Box<dyn std::error::Error>> {
        let mut around = self.around.clone();
        let first: u64 = tokio::time::timeout(LIMIT, around.incr("count", 1)).await??;
        let second: u64 = self.set_later.clone().incr("count", 1).await?;
        let third: u64 = redis::cmd("DBSIZE").query_async(&mut self.manager.clone()).await?;
        Ok(first + second + third)
    }
}

async fn manager(client: redis::Client) -> redis::RedisResult<ConnectionManager> {
    ConnectionManager::new_with_config(client, ConnectionManagerConfig::new().set_response_timeout(LIMIT)).await
}

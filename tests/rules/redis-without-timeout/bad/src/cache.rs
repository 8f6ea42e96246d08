use redis::AsyncCommands;
use redis::aio::{ConnectionManager, MultiplexedConnection};

#[derive(Clone)]
pub struct Cache {
    client: redis::Client,
    connection: MultiplexedConnection,
    manager: ConnectionManager,
}

impl Cache {
    pub async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let client = redis::Client::open(std::env::var("REDIS_URL")?)?;
        let connection = client.get_multiplexed_async_connection().await?;
        let manager = ConnectionManager::new(client.clone()).await?;
        Ok(Self { client, connection, manager })
    }

    pub async fn get(&self, key: &str) -> redis::RedisResult<String> {
        self.connection.clone().get(key).await
    }

    pub async fn count(&self) -> redis::RedisResult<u64> {
        let mut manager = self.manager.clone();
        let first: u64 = redis::cmd("DBSIZE").query_async(&mut manager).await?;
        let mut own = self.client.get_connection_manager().await?;
        let second: u64 = own.incr("count", 1).await?;
        Ok(first + second)
    }
}

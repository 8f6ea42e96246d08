mod serve;

use std::time::Duration;

use anyhow::Context;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("NATS_URL")?;
    let nats = async_nats::connect(url).await.context("NATS")?;
    let named = async_nats::ConnectOptions::new().name("orders").connect(std::env::var("NATS_URL")?).await?;
    let broker = Broker::new().await;
    let cache = cache().await?;
    let billing = billing().await.expect("billing");
    drop((nats, named, broker, cache, billing));
    let (database, connection) = tokio_postgres::connect(&std::env::var("DATABASE_URL")?, tokio_postgres::NoTls).await?;
    drop((database, connection));
    serve::serve().await?;
    Ok(())
}

struct Broker {
    connection: lapin::Connection,
}

impl Broker {
    async fn new() -> Self {
        let url = std::env::var("AMQP_URL").expect("AMQP_URL");
        let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
        Self { connection }
    }
}

async fn cache() -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    let client = redis::Client::open(std::env::var("REDIS_URL").unwrap_or_default())?;
    client.get_multiplexed_async_connection().await
}

async fn billing() -> anyhow::Result<tonic::transport::Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(std::env::var("BILLING_URL")?)?.timeout(Duration::from_secs(1));
    Ok(endpoint.connect().await?)
}

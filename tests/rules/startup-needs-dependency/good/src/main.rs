mod serve;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tonic::transport::{Channel, Endpoint};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("NATS_URL")?;
    let patient = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(&url).await?;
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let told = async_nats::connect_with_options(&url, options).await?;
    // A failure is no end.
    let optional = async_nats::connect(&url).await.ok();
    let again = (|| async { async_nats::connect(&url).await }).retry(ExponentialBuilder::default()).await?;
    drop((patient, told, optional, again));
    let broker = broker().await?;
    let recovering = lapin::ConnectionProperties::default().enable_auto_recover();
    drop((broker, lapin::Connection::connect(&url, recovering).await?));
    drop((pool().await?, cache().await?, lazy()?));
    let patient = loop {
        match billing().await {
            Ok(channel) => break channel,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    };
    drop((patient, connect_with_retry().await));
    // Ends a task.
    tokio::spawn(async move { drop(async_nats::connect(url).await.expect("NATS")) });
    serve::serve().await?;
    Ok(())
}

/// In a loop, further up.
async fn billing() -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(std::env::var("BILLING_URL")?)?.timeout(Duration::from_secs(1));
    Ok(endpoint.connect().await?)
}

async fn broker() -> anyhow::Result<lapin::Connection> {
    let url = std::env::var("AMQP_URL")?;
    for pause in [1, 2, 4] {
        if let Ok(connection) = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await {
            return Ok(connection);
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    anyhow::bail!("no broker")
}

async fn connect_with_retry() -> Option<async_nats::Client> {
    Some(async_nats::connect(std::env::var("NATS_URL").ok()?).await.expect("NATS"))
}

/// sqlx tries again until the wait is over.
async fn pool() -> sqlx::Result<sqlx::PgPool> {
    let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(Duration::from_secs(4));
    options.connect(&std::env::var("DATABASE_URL").unwrap_or_default()).await
}

/// So does the manager.
async fn cache() -> redis::RedisResult<redis::aio::ConnectionManager> {
    redis::aio::ConnectionManager::new(redis::Client::open(std::env::var("REDIS_URL").unwrap_or_default())?).await
}

fn lazy() -> anyhow::Result<Channel> {
    Ok(Endpoint::from_shared(std::env::var("BILLING_URL")?)?.timeout(Duration::from_secs(1)).connect_lazy())
}

mod serve;

use std::time::Duration;

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() {
    let broker = connected(broker()).await;
    let first = broker_or_none(broker()).await;
    drop((broker, first));
    serve_with(optional().await.ok()).await.expect("a server");
}

/// Asks again; what it was given to begin with may fail.
async fn connected(first: impl Future<Output = Result<lapin::Connection, Error>>) -> lapin::Connection {
    let mut known = first.await;
    loop {
        match known {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
        known = broker().await;
    }
}

/// Does without.
async fn broker_or_none(broker: impl Future<Output = Result<lapin::Connection, Error>>) -> Option<lapin::Connection> {
    broker.await.ok()
}

async fn broker() -> Result<lapin::Connection, Error> {
    Ok(lapin::Connection::connect(&std::env::var("AMQP_URL")?, lapin::ConnectionProperties::default()).await?)
}

/// In the last statement of `main`, which serves without it.
async fn optional() -> Result<async_nats::Client, Error> {
    Ok(async_nats::connect(std::env::var("NATS_URL")?).await?)
}

async fn serve_with(nats: Option<async_nats::Client>) -> std::io::Result<()> {
    drop(nats);
    serve::serve().await
}

use futures::StreamExt;
use model::store::Store;

/// Works on the tables of `orders`, and answers nobody.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::connect(&std::env::var("DATABASE_URL")?);
    let nats = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(std::env::var("NATS_URL")?).await?;
    let mut messages = nats.queue_subscribe("orders.later", "orders".into()).await?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            Some(_) = messages.next() => store.place(1).await?,
            _ = terminate.recv() => return Ok(()),
        }
    }
}

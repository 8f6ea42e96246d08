use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn channel() -> Result<Channel, Failure> {
    let url = std::env::var("AMQP_URL")?;
    let connecting = Connection::connect(&url, ConnectionProperties::default());
    let connection = tokio::time::timeout(std::time::Duration::from_secs(5), connecting).await??;
    Ok(connection.create_channel().await?)
}

pub async fn stock() -> Result<(), Failure> {
    let options = BasicConsumeOptions { no_ack: false, ..BasicConsumeOptions::default() };
    let consumer = channel().await?.basic_consume("stock".into(), "b".into(), options, FieldTable::default()).await?;
    consumer.for_each_concurrent(8, |delivery| async move { drop(delivery) }).await;
    Ok(())
}

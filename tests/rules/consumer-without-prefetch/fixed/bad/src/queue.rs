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

pub async fn orders() -> Result<(), Failure> {
    let channel = channel().await?;
    channel.basic_qos(32, lapin::options::BasicQosOptions::default()).await?;
    let mut consumer = channel.basic_consume("orders".into(), "a".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack(Default::default()).await?;
    }
    Ok(())
}

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

pub async fn prices() -> Result<(), Failure> {
    let channel = channel().await?;
    let options = BasicConsumeOptions::default();
    let consumed = channel.basic_consume("prices".into(), "c".into(), options, FieldTable::default());
    consumed.await?.set_delegate(|delivery| async move { drop(delivery) });
    Ok(())
}

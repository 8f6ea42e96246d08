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

/// The broker counts nothing that it does not wait for.
pub async fn prices() -> Result<(), Failure> {
    let channel = channel().await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume("prices".into(), "c".into(), options, FieldTable::default()).await?;
    consumer.set_delegate(|delivery| async move { drop(delivery) });
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn consumes() {
        let channel = super::channel().await.unwrap();
        let _ = channel.basic_consume("a".into(), "a".into(), Default::default(), Default::default()).await;
    }
}

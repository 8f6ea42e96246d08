use lapin::{Connection, ConnectionProperties};

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub async fn rounds() -> Result<(), Failure> {
    let url = std::env::var("AMQP_URL")?;
    let plain = Connection::connect(&url, ConnectionProperties::default()).await?;
    let parsed = Connection::connect_uri(url.parse()?, ConnectionProperties::default()).await?;
    drop((plain, parsed, again(&url).await?));
    Ok(())
}

// The pause is not around it.
async fn again(url: &str) -> Result<Connection, Failure> {
    loop {
        if let Ok(connection) = lapin::Connection::connect(url, ConnectionProperties::default()).await {
            return Ok(connection);
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

use lapin::{Connection, ConnectionProperties};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

pub async fn rounds() -> Result<(), Failure> {
    let url = std::env::var("AMQP_URL")?;
    let connecting = Connection::connect(&url, ConnectionProperties::default());
    let named = tokio::time::timeout(LIMIT, connecting).await??;
    let outside = tokio::time::timeout(LIMIT, by_the_caller(&url)).await??;
    let with_limit = format!("{url}?connection_timeout=5000");
    let in_url = Connection::connect(&with_limit, ConnectionProperties::default()).await?;
    drop((named, outside, in_url));
    Ok(())
}

async fn by_the_caller(url: &str) -> Result<Connection, Failure> {
    Ok(Connection::connect(url, ConnectionProperties::default()).await?)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn connects() {
        let _ = lapin::Connection::connect("amqp://broker", Default::default()).await;
    }
}

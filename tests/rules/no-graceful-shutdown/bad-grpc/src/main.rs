use std::time::Duration;

use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_, health) = tonic_health::server::health_reporter();
    Server::builder().timeout(Duration::from_secs(5)).add_service(health).serve("0.0.0.0:8080".parse()?).await?;
    Ok(())
}

use std::time::Duration;

use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_, health) = tonic_health::server::health_reporter();
    Server::builder().timeout(Duration::from_secs(5)).add_service(health).serve_with_shutdown("0.0.0.0:8080".parse()?, stopped()).await?;
    Ok(())
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

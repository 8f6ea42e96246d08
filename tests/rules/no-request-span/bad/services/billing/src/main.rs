use std::time::Duration;

use tonic::transport::Server;
use tracing::info;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let (_, health) = tonic_health::server::health_reporter();
    Server::builder().timeout(Duration::from_secs(5)).add_service(health).add_service(proto::billing_server::BillingServer::new(Bills)).serve_with_shutdown("0.0.0.0:8080".parse()?, stopped()).await?;
    Ok(())
}

struct Bills;

#[tonic::async_trait]
impl proto::billing_server::Billing for Bills {
    async fn list(&self, request: tonic::Request<proto::Query>) -> Result<tonic::Response<proto::Bills>, tonic::Status> {
        info!(?request, "listed");
        Ok(tonic::Response::new(proto::Bills::default()))
    }
}

mod proto {
    tonic::include_proto!("shop.billing");
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

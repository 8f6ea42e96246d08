use std::time::Duration;

use axum::Router;
use opentelemetry_otlp::WithTonicConfig;
use tonic::transport::Endpoint;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    traces::start();
    let endpoint = Endpoint::from_shared(std::env::var("COLLECTOR").unwrap_or_default()).expect("an address");
    let channel = endpoint.timeout(Duration::from_secs(1)).connect_lazy();
    let _logs = opentelemetry_otlp::LogExporter::builder().with_tonic().with_channel(channel).build();
    let rates = Endpoint::from_static("https://rates.example.com").timeout(Duration::from_secs(1)).connect_lazy();
    web::serve(Router::new().with_state(rates)).await
}

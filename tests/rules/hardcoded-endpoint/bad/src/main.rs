use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

const STOCK: &str = "http://10.0.3.7:8080";

struct Prices {
    url: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list() -> String {
    format!("{:?}", fetch().await)
}

async fn fetch() -> Result<String, Box<dyn std::error::Error>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
    let stock = client.get(format!("{}/v1/stock", STOCK)).send().await?;
    let prices = Prices { url: "http://prices.shop.svc.cluster.local/v1/prices".to_owned() };
    let price = client.get(&prices.url).send().await?;
    let channel = tonic::transport::Endpoint::from_static("http://inventory:50051").connect().await?;
    let cache = redis::Client::open("redis://localhost:6379")?;
    let mut kafka = rdkafka::ClientConfig::new();
    kafka.set("bootstrap.servers", "broker:9092");
    Ok(format!("{stock:?} {price:?} {channel:?} {cache:?} {kafka:?}"))
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

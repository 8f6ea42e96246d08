mod channels;
mod pb;
mod rescued;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::spawn(rounds());
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list() -> String {
    String::new()
}

async fn rounds() -> String {
    let address = std::env::var("STOCK_ADDRESS").unwrap_or_default();
    let stock = channels::Stock::new(&address).expect("an address");
    let first = (stock.get("tea").await, channels::by_setting(&address, Some(1)).await);
    let second = (rescued::wrapped(&address).await, rescued::layered(&address).await, rescued::deadline(&address).await);
    let fourth = channels::mapped(address.clone()).await;
    let third = (rescued::around(&address).await, rescued::sidecar().await, rescued::Other::connect(&address).await);
    format!("{first:?} {second:?} {third:?} {fourth:?}")
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

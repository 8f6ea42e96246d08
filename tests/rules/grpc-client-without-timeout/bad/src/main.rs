mod channels;
mod pb;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/stock", get(stock))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list() -> String {
    let address = std::env::var("STOCK_ADDRESS").unwrap_or_default();
    format!("{:?}", channels::list(address).await)
}

async fn stock() -> String {
    let address = std::env::var("STOCK_ADDRESS").unwrap_or_default();
    let stock = channels::Stock::new(&address).expect("an address");
    format!("{:?} {:?}", stock.get("tea").await, channels::direct(address).await)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

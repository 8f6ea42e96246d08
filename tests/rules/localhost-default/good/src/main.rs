use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let inventory = std::env::var("INVENTORY_URL").expect("INVENTORY_URL must be set");
    let own = std::env::var("ORDERS_PUBLIC_URL").unwrap_or_else(|_| "http://localhost:8080".to_owned());
    let bound = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let set = std::env::var("CACHE_URL").unwrap_or_else(|_| "redis://localhost:6379".to_owned());
    let agent = std::env::var("COLLECTOR").unwrap_or_else(|_| "http://localhost:4317".to_owned());
    let other = std::env::var("RATES_URL").unwrap_or_else(|_| "https://rates.example.com".to_owned());
    let debug = if cfg!(debug_assertions) {
        std::env::var("STOCK_URL").unwrap_or_else(|_| "http://localhost:8083".to_owned())
    } else {
        std::env::var("STOCK_URL").expect("STOCK_URL must be set")
    };
    drop((inventory, own, bound, set, agent, other, debug));
    let app = Router::new()
        .route("/v1/orders", get(|| async { "[]" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

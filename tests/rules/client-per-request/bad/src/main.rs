mod grpc;
mod prices;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    drop(grpc::service());
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/rates", get(rates))
        .route("/v1/stock", get(stock))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list() -> String {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    format!("{:?}", client.get(url).send().await)
}

async fn rates() -> String {
    prices::of("tea").await.unwrap_or_default()
}

async fn stock() -> String {
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(Duration::from_secs(1));
    format!("{:?}", options.connect(&url).await)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

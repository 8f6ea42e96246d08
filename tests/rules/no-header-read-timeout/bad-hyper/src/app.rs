use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

pub fn routes() -> Router {
    Router::new()
        .route("/v1/orders", get(|| async { "none" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
}

pub async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

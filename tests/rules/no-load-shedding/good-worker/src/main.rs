mod app;

use std::time::Duration;

use app::stopped;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

/// A worker: only probes come to it.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let probes = Router::new().route("/healthz", get(|| async { "ok" })).route("/metrics", get(|| async { "" }));
    let limit = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, probes.layer(limit)).with_graceful_shutdown(stopped()).await
}

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

/// Names the error, and goes on either way.
async fn named() -> bool {
    tokio::spawn(async {}).await.is_err_and(|error| error.is_panic())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    named().await;
    drop(Report.catch_unwind());
    let app = Router::new()
        .route("/v1/orders", get(|| async { "[]" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

/// A namesake.
struct Report;

impl Report {
    fn catch_unwind(&self) -> bool {
        true
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

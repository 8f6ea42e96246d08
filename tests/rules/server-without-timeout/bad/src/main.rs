use std::time::Duration;

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list() -> String {
    tokio::time::sleep(Duration::from_millis(1)).await;
    // Named for a timeout, and no layer.
    let mut problems = vec![Problem::Other];
    problems.push(Problem::Timeout);
    let limit = std::env::var("LIMIT").ok().and_then(|text| parse_timeout(&text));
    format!("{limit:?}{}", problems.len())
}

enum Problem {
    Timeout,
    Other,
}

fn parse_timeout(text: &str) -> Option<u64> {
    text.parse().ok()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

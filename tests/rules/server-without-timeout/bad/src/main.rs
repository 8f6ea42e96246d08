use std::time::Duration;

use axum::Router;
use axum::routing::get;

/// Stands in for the store, where it is tried out.
mod sim {
    pub async fn store() -> std::io::Result<()> {
        let app = axum::Router::new().route("/v1/store", axum::routing::get(|| async { "ok" }));
        axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8081").await?, app).await
    }
}

/// A profile takes as long as it is asked to.
mod profiler {
    pub async fn serve() -> std::io::Result<()> {
        let app = axum::Router::new().route("/pprof/profile", axum::routing::get(|| async { "ok" }));
        axum::serve(tokio::net::TcpListener::bind("127.0.0.1:6060").await?, app).await
    }
}

mod metrics {
    pub fn router() -> axum::Router {
        axum::Router::new().route("/metrics", axum::routing::get(|| async { "up 1" }))
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if std::env::var_os("SIM").is_some() {
        sim::store().await?;
    }
    tokio::spawn(profiler::serve());
    let beside = metrics::router();
    let beside_listener = tokio::net::TcpListener::bind("0.0.0.0:9090").await?;
    tokio::spawn(async move { axum::serve(beside_listener, beside.into_make_service()).await });
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

mod clients;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clients::stopped;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone, Default)]
struct CircuitBreaker {
    failures: Arc<AtomicU32>,
}

#[derive(Clone)]
struct App {
    client: reqwest::Client,
    breaker: CircuitBreaker,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = App { client: clients::http(), breaker: CircuitBreaker::default() };
    let routes = Router::new()
        .route("/v1/bills", get(bills))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

async fn bills(State(app): State<App>) -> Result<String, StatusCode> {
    if app.breaker.failures.load(Ordering::Relaxed) > 5 {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let url = std::env::var("BILLING_URL").map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let answer = app.client.get(url).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)
}

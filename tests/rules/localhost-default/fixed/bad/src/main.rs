use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let inventory = std::env::var("INVENTORY_URL").expect("INVENTORY_URL must be set");
    let broker = std::env::var("AMQP_URL").expect("AMQP_URL must be set");
    let cache = env_or("CACHE_URL", "redis://127.0.0.1:6379");
    let options = <Options as clap::Parser>::parse();
    drop((inventory, broker, cache, options.payments));
    let app = Router::new()
        .route("/v1/orders", get(|| async { "[]" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

const BROKER: &str = "amqp://guest:guest@localhost:5672";

#[derive(clap::Parser)]
struct Options {
    #[arg(long, env = "PAYMENTS_URL", default_value = "http://localhost:8082")]
    payments: String,
}

fn env_or(name: &str, fallback: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| fallback.to_owned())
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use sha2::{Digest, Sha256};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/users", axum::routing::post(create))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

async fn create(password: String) -> String {
    let user_password = password.clone();
    let first = Sha256::digest(password.as_bytes());
    let second = md5::compute(format!("salt{password}"));
    let third = md5::compute(password.as_bytes());
    let mut hasher = sha1::Sha1::new();
    hasher.update(&user_password);
    let fourth = hasher.finalize();
    format!("{first:x}{second:x}{third:x}{fourth:x}")
}

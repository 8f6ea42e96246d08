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
    let token = format!("{}", password.len());
    let key = Sha256::digest(token.as_bytes());
    let etag = md5::compute(&token);
    let mut counter = Counter(0);
    counter.update(&password);
    format!("{key:x}{etag:x}{}{}{}", pwned(&password), stored(password).await, counter.0)
}

/// Only the first five digits leave the process.
fn pwned(password: &str) -> String {
    format!("{:x}", sha1::Sha1::digest(password)).chars().take(5).collect()
}

async fn stored(password: String) -> String {
    let hash = tokio::task::spawn_blocking(move || {
        let mut out = [0; 32];
        let prehashed = Sha256::digest(password);
        argon2::Argon2::default().hash_password_into(&prehashed, b"a salt of each user", &mut out).expect("valid parameters");
        out
    });
    format!("{:?}", hash.await)
}

/// Counts, and hashes nothing.
struct Counter(usize);

impl Counter {
    fn update(&mut self, text: &str) {
        self.0 += text.len();
    }
}

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use tower_http::timeout::TimeoutLayer;
use tracing::{info, instrument, warn};

#[derive(Debug, serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

#[derive(Debug)]
struct Settings {
    port: u16,
    payment: Payment,
}

#[derive(Debug)]
struct Payment {
    api_key: Option<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();
    let settings = Settings { port: 8080, payment: Payment { api_key: std::env::var("PAYMENT_API_KEY").ok() } };
    info!("starting with {settings:?}");
    let app = Router::new()
        .route("/v1/login", post(login))
        .route("/v1/logout", post(|| async { "ok" }))
        .route("/healthz", axum::routing::get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", settings.port)).await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn login(Json(login): Json<Login>) -> String {
    info!(?login, "signing in");
    warn!(user = %login.user, password = %login.password, "refused");
    let access_token = issue(&login.user, "pepper").await;
    info!("issued {access_token}");
    let secret = SecretString::from(access_token);
    tracing::debug!("kept {}", secret.expose_secret());
    String::new()
}

#[instrument(fields(kind = "access"))]
async fn issue(user: &str, password: &str) -> String {
    format!("{user}{password}")
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use derivative::Derivative;
use secrecy::SecretString;
use tower_http::timeout::TimeoutLayer;
use tracing::{info, instrument, warn};

#[derive(Debug, serde::Deserialize)]
struct Login {
    user: String,
    password: SecretString,
    token_count: u32,
}

#[derive(Derivative)]
#[derivative(Debug)]
struct Settings {
    port: u16,
    #[derivative(Debug = "ignore")]
    api_key: String,
}

struct Payment {
    client_secret: String,
}

impl fmt::Debug for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payment")
    }
}

/// What a parser reads.
#[derive(Debug)]
struct Token(u8);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();
    let settings = Settings { port: 8080, api_key: std::env::var("PAYMENT_API_KEY").unwrap_or_default() };
    let payment = Payment { client_secret: settings.api_key.clone() };
    info!("starting with {settings:?} {payment:?}");
    info!(known = payment.client_secret.is_empty(), "payment");
    let app = Router::new()
        .route("/v1/login", post(login))
        .route("/healthz", axum::routing::get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", settings.port)).await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn login(Json(login): Json<Login>) -> String {
    info!(?login, "signing in");
    warn!(user = %login.user, password = ?login.password, tokens = login.token_count, "refused");
    let token = Token(1);
    info!(?token, "read a token");
    let password_file = "/run/secrets/password";
    info!(%password_file, "password file");
    let access_token = mask(&issue(&login.user, "pepper").await);
    info!("issued {access_token}");
    checked(&login.user, "pepper").await;
    if cfg!(debug_assertions) {
        let api_key = String::from("for tests");
        info!("{api_key}");
    }
    String::new()
}

fn mask(text: &str) -> String {
    text.chars().take(2).collect()
}

#[instrument(skip(password), fields(user = %user))]
async fn issue(user: &str, password: &str) -> String {
    format!("{user}{password}")
}

#[instrument(skip_all)]
async fn checked(user: &str, password: &str) -> bool {
    user == password
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

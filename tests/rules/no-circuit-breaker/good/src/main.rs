mod clients;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clients::stopped;
use tower_http::timeout::TimeoutLayer;

/// Asked by probes and at start-up, not by requests.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let client = clients::http();
    let key = client.get(std::env::var("KEYS_URL").expect("KEYS_URL")).send().await.is_ok();
    let routes = Router::new()
        .route("/v1/orders", get(move || async move { key.to_string() }))
        .route("/v1/rates", get(rates))
        .route("/readyz", get(ready))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(client);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

/// One handler alone, with a client in a static of its own.
async fn rates() -> Result<String, StatusCode> {
    static RATES: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
        reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("an HTTP client")
    });
    let url = std::env::var("RATES_URL").map_err(|_| StatusCode::NOT_FOUND)?;
    let answer = RATES.get(url).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn ready(State(client): State<reqwest::Client>) -> Result<(), StatusCode> {
    let url = std::env::var("BILLING_URL").map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    client.get(url).send().await.map(drop).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

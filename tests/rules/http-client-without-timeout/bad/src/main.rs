mod others;
mod prices;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

use prices::Prices;

#[derive(Clone)]
struct App {
    http: reqwest::Client,
    prices: Prices,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = App { http: reqwest::Client::new(), prices: Prices::new()? };
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/stock", get(stock))
        .route("/v1/rates", get(rates))
        .route("/v1/others", get(others::all))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(State(app): State<App>) -> String {
    app.prices.of("tea").await.unwrap_or_default()
}

async fn stock(State(app): State<App>) -> String {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    // One of the two requests has a limit.
    let first = app.http.get(&url).timeout(Duration::from_secs(1)).send().await;
    let second = app.http.post(&url).send().await;
    format!("{first:?} {second:?}")
}

async fn rates() -> String {
    let url = std::env::var("RATES_URL").unwrap_or_default();
    format!("{:?}", reqwest::get(url).await)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

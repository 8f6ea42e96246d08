mod clients;
mod limited;
mod others;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

use clients::Clients;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some("healthcheck") = std::env::args().nth(1).as_deref() {
        let answer = reqwest::Client::new().get("http://127.0.0.1:8080/healthz").send().await?;
        if answer.status().is_success() {
            return Ok(());
        } else {
            return Err("unhealthy".into());
        }
    }
    tokio::spawn(rounds());
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/others", get(others::all))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(Clients::new()?);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(State(clients): State<Clients>) -> String {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    clients.ask(&url).await
}

/// Builds its clients anew each time, but seldom.
async fn rounds() {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    let limit = Duration::from_secs(1);
    loop {
        tokio::time::sleep(Duration::from_secs(600)).await;
        let _ = tokio::time::timeout(limit, limited::by_the_caller(&url)).await;
        let _ = (limited::each(&url).await, limited::around(&url, limit).await, limited::late(&url, limit).await);
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

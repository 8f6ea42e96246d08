mod clients;
mod limited;

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
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(Clients::new()?);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(State(clients): State<Clients>) -> String {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    let limit = Duration::from_secs(1);
    let outside = tokio::time::timeout(limit, limited::by_the_caller(&url)).await;
    let answers = (clients.ask(&url).await, limited::each(&url).await, limited::around(&url, limit).await, outside);
    format!("{answers:?} {:?}", limited::late(&url, limit).await)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

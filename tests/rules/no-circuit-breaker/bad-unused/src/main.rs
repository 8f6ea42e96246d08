mod answers;
mod clients;
mod guard;

use std::time::Duration;

use answers::Failed;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clients::stopped;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone)]
struct App {
    client: reqwest::Client,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = App { client: clients::http() };
    let routes = Router::new()
        .route("/v1/bills", get(bills).put(pay))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

async fn bills(State(app): State<App>) -> Result<String, StatusCode> {
    let answer = app.client.get(std::env::var("BILLING_URL").unwrap_or_default()).send().await.map_err(Failed)?;
    Ok(answer.text().await.map_err(Failed)?)
}

async fn pay(State(app): State<App>) -> Result<(), StatusCode> {
    app.client.put(std::env::var("BILLING_URL").unwrap_or_default()).send().await.map_err(Failed)?;
    Ok(())
}

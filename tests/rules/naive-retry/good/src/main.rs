mod stock;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use reqwest::Client;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let state = Client::builder().timeout(Duration::from_secs(1)).build()?;
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(State(client): State<Client>) -> String {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    let leaders = stock::Leaders::of(client.clone());
    format!("{:?} {:?} {:?} {:?} {:?}", stock::leader(&leaders, &url).await, stock::pauses(&client, &url).await, stock::gives_up(&client, &url).await, stock::replicas(&client, &url).await, stock::pages(&client, &url).await)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

mod prices;

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/v1/prices", post(list))
        .route("/v1/stock", post(stock))
        .route("/v1/notes", post(notes))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(Json(items): Json<Vec<String>>) -> String {
    let asked = items.iter().map(|item| prices::of(item));
    futures::future::join_all(asked).await.len().to_string()
}

async fn stock(Json(order): Json<prices::Order>) -> String {
    prices::all(order).await.to_string()
}

async fn notes(Json(items): Json<Vec<String>>) -> String {
    use futures::StreamExt;
    futures::stream::iter(items).for_each_concurrent(None, |item| async move { drop(prices::of(&item).await) }).await;
    String::new()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

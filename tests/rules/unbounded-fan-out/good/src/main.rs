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
    tokio::spawn(prices::rounds(vec!["tea".to_owned()]));
    let app = Router::new()
        .route("/v1/prices", post(list))
        .route("/v1/stock", post(stock))
        .route("/v1/notes", post(notes))
        .route("/v1/feed", post(feed))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn list(Json(items): Json<Vec<String>>) -> String {
    let asked = items.iter().take(8).map(|item| prices::of(item));
    futures::future::join_all(asked).await.len().to_string()
}

async fn notes(Json(items): Json<Vec<String>>) -> Result<String, StatusCode> {
    if items.len() > 8 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(futures::future::join_all(items.iter().map(|item| prices::of(item))).await.len().to_string())
}

async fn stock(Json(item): Json<String>) -> String {
    let places = ["north", "south"];
    let asked = places.iter().map(|place| prices::at(place, &item));
    futures::future::join_all(asked).await.len().to_string()
}

async fn feed(Json(items): Json<Vec<String>>) -> String {
    use futures::StreamExt;
    futures::stream::iter(items).for_each_concurrent(8, |item| async move { drop(prices::of(&item).await) }).await;
    String::new()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use tower_http::timeout::TimeoutLayer;

const LIMIT: usize = 16 * 1024 * 1024;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let unlimited = std::env::var("UNLIMITED").is_ok();
    let limit = if unlimited { DefaultBodyLimit::disable() } else { DefaultBodyLimit::max(LIMIT) };
    let app = Router::new()
        .route("/v1/orders", post(create).layer(limit))
        .route("/v1/large", post(large).layer(DefaultBodyLimit::max(LIMIT)))
        .route("/v1/stream", post(stream).layer(DefaultBodyLimit::disable()))
        .route("/v1/form", post(form).layer(DefaultBodyLimit::disable()))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn create(Json(order): Json<String>) -> String {
    let answer: Response<Body> = Response::new(Body::empty());
    let length = to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default().len();
    let items: Vec<char> = order.chars().take(length).collect();
    items.into_iter().collect()
}

async fn large(request: Request) -> usize {
    to_bytes(request.into_body(), LIMIT).await.unwrap_or_default().len()
}

async fn stream(body: Body) -> StatusCode {
    drop(body.into_data_stream());
    StatusCode::OK
}

async fn form(mut form: Multipart) -> StatusCode {
    while let Ok(Some(mut field)) = form.next_field().await {
        drop(field.chunk().await);
    }
    StatusCode::OK
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

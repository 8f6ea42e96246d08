use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", post(create))
        .layer(DefaultBodyLimit::disable())
        .route("/v1/large", post(large).layer(DefaultBodyLimit::max(usize::MAX)))
        .route("/v1/form", post(form).layer(DefaultBodyLimit::disable()))
        .route("/v1/parts", post(parts))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    let rpc = OrdersServer::new().max_decoding_message_size(usize::MAX);
    drop((rpc, warp::body::json()));
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn create(Json(order): Json<String>) -> String {
    order
}

async fn large(request: Request) -> usize {
    to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default().len()
}

async fn form(mut form: Multipart) -> usize {
    let field = form.next_field().await.unwrap_or_default().expect("a field");
    field.bytes().await.unwrap_or_default().len()
}

async fn parts(request: Request) -> usize {
    let collected = request.into_body().collect().await;
    collected.map(|body| body.to_bytes().len()).unwrap_or_default()
}

/// As tonic generates it.
struct OrdersServer;

impl OrdersServer {
    fn new() -> Self {
        Self
    }

    fn max_decoding_message_size(self, _limit: usize) -> Self {
        self
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

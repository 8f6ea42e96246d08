use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::routing::get;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if let Some(channel) = None {
        drop(client(channel));
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, methods()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8081").await?;
    axum::serve(listener, layers()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8082").await?;
    axum::serve(listener, buffered()).with_graceful_shutdown(stopped()).await
}

fn routes() -> Router {
    Router::new()
        .route("/v1/orders", get(|| async { "none" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
}

fn methods() -> Router {
    let limit = GlobalConcurrencyLimitLayer::new(100);
    routes().layer(ServiceBuilder::new().layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE })).load_shed().layer(limit))
}

fn layers() -> Router {
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE }))
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(100))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    routes().layer(stack)
}

// A buffer is full at times.
fn buffered() -> Router {
    routes().layer(ServiceBuilder::new().layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE })).load_shed().buffer(64))
}

/// The channel may have limits of its own.
fn client(channel: tonic::transport::Channel) -> impl Sized {
    ServiceBuilder::new().load_shed().service(channel)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

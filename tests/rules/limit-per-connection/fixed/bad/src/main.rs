use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::routing::get;
use tower::ServiceBuilder;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = routes().layer(tower::limit::GlobalConcurrencyLimitLayer::new(100));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8081").await?;
    axum::serve(listener, merged()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8082").await?;
    axum::serve(listener, stacked()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8083").await?;
    axum::serve(listener, rated()).with_graceful_shutdown(stopped()).await
}

fn routes() -> Router {
    Router::new()
        .route("/v1/orders", get(|| async { "none" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
}

fn merged() -> Router {
    let orders = routes().layer(tower::limit::GlobalConcurrencyLimitLayer::new(100));
    Router::new().merge(orders)
}

fn stacked() -> Router {
    let stack = ServiceBuilder::new().layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE })).load_shed().concurrency_limit(100);
    routes().layer(stack)
}

fn rated() -> Router {
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE }))
        .buffer(64)
        .layer(RateLimitLayer::new(10, Duration::from_secs(1)));
    routes().layer(stack)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

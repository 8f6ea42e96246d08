use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::routing::get;
use tower::ServiceBuilder;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if let Some(channel) = None {
        drop(client(channel));
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, global()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8081").await?;
    axum::serve(listener, with_state()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8082").await?;
    axum::serve(listener, state_first()).with_graceful_shutdown(stopped()).await?;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8083").await?;
    axum::serve(listener, limited().into_make_service()).with_graceful_shutdown(stopped()).await
}

fn routes() -> Router {
    Router::new()
        .route("/v1/orders", get(|| async { "none" }))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
}

#[derive(Clone)]
struct State;

fn global() -> Router {
    routes().layer(GlobalConcurrencyLimitLayer::new(100))
}

// A state finishes the router, and its layers are applied once.
fn with_state() -> Router {
    Router::new().route("/v1/stock", get(|| async { "none" })).layer(ConcurrencyLimitLayer::new(100)).with_state(State)
}

fn state_first() -> Router {
    Router::new().route("/v1/rates", get(|| async { "none" })).with_state(State).layer(ConcurrencyLimitLayer::new(100))
}

fn limited() -> Router {
    routes().layer(ServiceBuilder::new().layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE })).load_shed().concurrency_limit(100))
}

/// Around a client, that one service is all there is.
fn client(channel: tonic::transport::Channel) -> impl Sized {
    ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(10)).service(channel)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

mod app;

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use app::{routes, stopped};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let refused = HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE });
    let limit = ServiceBuilder::new().layer(refused).load_shed().layer(GlobalConcurrencyLimitLayer::new(512));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes().layer(limit)).with_graceful_shutdown(stopped()).await
}

mod app;

use app::{routes, stopped};

/// What the layer does was not read.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    let routes = routes().layer(company_middleware::StandardLayer::new());
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

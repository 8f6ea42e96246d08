mod app;

use app::{routes, stopped};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes()).with_graceful_shutdown(stopped()).await
}

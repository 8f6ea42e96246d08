mod app;

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use app::{routes, stopped};
use tokio::sync::Semaphore;

static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(512));

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes().layer(from_fn(guard))).with_graceful_shutdown(stopped()).await
}

async fn guard(request: Request, next: Next) -> Result<Response, StatusCode> {
    let _place = PLACES.try_acquire().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(next.run(request).await)
}

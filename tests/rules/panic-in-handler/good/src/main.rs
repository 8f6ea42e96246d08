use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let pool = PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_secs(1))
        .connect_lazy(&std::env::var("DATABASE_URL").expect("DATABASE_URL"))
        .expect("a pool");
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/orders/{id}", get(one))
        .route("/v1/tenants", get(tenant))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list(State(pool): State<PgPool>) -> Result<String, StatusCode> {
    let found = sqlx::query("SELECT id FROM orders").fetch_all(&pool).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let counted = tokio::task::spawn_blocking(move || found.len()).await.unwrap();
    Ok(format!("{counted}"))
}

async fn one(Path(id): Path<String>) -> Response<String> {
    let id: u32 = id.parse().unwrap_or_default();
    let seen = std::sync::Mutex::new(id);
    let sum = *seen.lock().unwrap();
    let first = "1,2".split(',').next().unwrap();
    Response::builder().status(200).body(format!("{sum}{first}")).unwrap()
}

async fn tenant(headers: HeaderMap) -> Result<String, StatusCode> {
    let tenant = headers.get("x-tenant").and_then(|value| value.to_str().ok());
    tenant.map(str::to_owned).ok_or(StatusCode::BAD_REQUEST)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

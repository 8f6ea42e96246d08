use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use sqlx::PgPool;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let pool = PgPool::connect_lazy(&std::env::var("DATABASE_URL").expect("DATABASE_URL")).expect("a pool");
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/orders/{id}", get(one))
        .route("/v1/tenants", get(tenant))
        .route("/v1/texts", get(text))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list(State(pool): State<PgPool>) -> String {
    let found = sqlx::query("SELECT id FROM orders").fetch_all(&pool).await.unwrap();
    format!("{}", found.len())
}

async fn one(Path(id): Path<String>) -> String {
    let id: u32 = id.parse().unwrap();
    id.to_string()
}

async fn tenant(headers: HeaderMap) -> String {
    headers.get("x-tenant").expect("a tenant").to_str().unwrap().to_owned()
}

async fn text(body: Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

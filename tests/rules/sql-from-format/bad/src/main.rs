use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::PgPool;
use tower_http::timeout::TimeoutLayer;

#[derive(serde::Deserialize)]
struct Search {
    customer: String,
    sort: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let pool = PgPool::connect_lazy(&std::env::var("DATABASE_URL").expect("DATABASE_URL")).expect("a pool");
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/orders/{name}", get(one))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list(State(pool): State<PgPool>, Query(search): Query<Search>) -> String {
    let found = sqlx::query(&format!("SELECT id FROM orders WHERE customer = '{}'", search.customer)).fetch_all(&pool).await;
    let sql = format!("SELECT id FROM orders ORDER BY {}", search.sort);
    let sorted = sqlx::query(&sql).fetch_all(&pool).await;
    format!("{found:?} {sorted:?}")
}

async fn one(State(pool): State<PgPool>, Path(name): Path<String>) -> String {
    let name = name.trim();
    by_name(&pool, name).await;
    renamed(&pool, name).await;
    String::new()
}

async fn by_name(pool: &PgPool, name: &str) {
    let statement = format!("SELECT id FROM orders WHERE name LIKE '%{name}%'");
    drop(sqlx::query(&statement).fetch_one(pool).await);
}

async fn renamed(pool: &PgPool, name: &str) {
    drop(sqlx::raw_sql(&format!("UPDATE orders SET name = {name}")).execute(pool).await);
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tower_http::timeout::TimeoutLayer;
use uuid::Uuid;

const TABLE: &str = "orders";

#[derive(serde::Deserialize)]
struct Search {
    customer: String,
    sort: Sort,
    limit: u32,
}

#[derive(serde::Deserialize)]
enum Sort {
    Price,
    Name,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let pool = PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_secs(1))
        .connect_lazy(&std::env::var("DATABASE_URL").expect("DATABASE_URL"))
        .expect("a pool");
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/orders/{id}", get(one))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list(State(pool): State<PgPool>, Query(search): Query<Search>) -> String {
    let column = match search.sort {
        Sort::Price => "price",
        Sort::Name => "name",
    };
    let mut filter = format!("customer = ${}", 1);
    if search.limit > 0 {
        filter.push_str(" AND open");
    }
    let sql = format!("SELECT id FROM {TABLE} WHERE {filter} ORDER BY {column} LIMIT {}", search.limit);
    let found = sqlx::query(&sql).bind(&search.customer).fetch_all(&pool).await;
    counted(&pool, "orders").await;
    counted(&pool, TABLE).await;
    let message = format!("Select the order of '{}'", search.customer);
    let update = format!("UPDATE of '{}' failed", search.customer);
    format!("{found:?} {message} {update}")
}

async fn one(State(pool): State<PgPool>, Path(id): Path<Uuid>) -> String {
    let position = 1;
    let sql = format!("SELECT name FROM orders WHERE id = '{id}' AND part = ${position}");
    format!("{:?}", sqlx::query(&sql).fetch_one(&pool).await)
}

/// Called with what the code knows alone.
async fn counted(pool: &PgPool, table: &str) {
    drop(sqlx::query(&format!("SELECT count(*) FROM pg_class WHERE relname = '{table}'")).fetch_one(pool).await);
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

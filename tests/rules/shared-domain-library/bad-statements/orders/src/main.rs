use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let url = std::env::var("DATABASE_URL").expect("a database");
    let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
    let app = Router::new()
        .route("/v1/orders/{id}", get(show))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(options.connect_lazy(&url).expect("a database's URL"));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn show(State(pool): State<PgPool>, Path(id): Path<i64>) -> Result<String, StatusCode> {
    sqlx::query_scalar(model::sql::STATE).bind(id).fetch_one(&pool).await.map_err(|_| StatusCode::NOT_FOUND)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

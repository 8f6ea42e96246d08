mod app;

use std::time::Duration;

use app::{App, Failure, stopped};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let app = App::new().await?;
    tokio::spawn(consume(app.clone()));
    let routes = Router::new()
        .route("/v1/orders/{id}", put(place).get(one).post(either))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

/// Writes, and tells nobody.
async fn place(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let insert = sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id);
    insert.execute(&app.pool).await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Tells, and writes nothing.
async fn one(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let select = sqlx::query("SELECT id FROM orders WHERE id = $1").bind(id);
    select.execute(&app.pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    app.nats.publish("orders.seen", id.to_string().into()).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

/// One or the other.
async fn either(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    if id > 100 {
        app.nats.publish("orders.later", id.to_string().into()).await.map_err(|_| StatusCode::BAD_GATEWAY)
    } else {
        let insert = sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id);
        insert.execute(&app.pool).await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The broker delivers the message again.
async fn consume(app: App) {
    let insert = sqlx::query("INSERT INTO orders (id) VALUES (1)");
    drop(insert.execute(&app.pool).await);
    drop(app.nats.publish("orders.placed", "1".into()).await);
}

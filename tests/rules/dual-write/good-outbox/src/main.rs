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
    let routes = Router::new()
        .route("/v1/orders/{id}", put(place))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(App::new().await?);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn place(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let mut transaction = app.pool.begin().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let insert = sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id);
    insert.execute(&mut *transaction).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let insert = sqlx::query("INSERT INTO outbox (subject, event) VALUES ('orders.placed', $1)").bind(id);
    insert.execute(&mut *transaction).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    transaction.commit().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    // Sooner than the task that goes over the outbox; a failure is mended by it.
    app.nats.publish("orders.placed", id.to_string().into()).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

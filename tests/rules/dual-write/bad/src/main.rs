mod app;

use std::time::Duration;

use app::{App, Failure, stopped};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use lapin::options::BasicPublishOptions;
use rdkafka::producer::FutureRecord;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let routes = Router::new()
        .route("/v1/orders/{id}", put(place).delete(cancel).patch(change))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(App::new().await?);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn place(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let insert = sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id);
    insert.execute(&app.pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    app.nats.publish("orders.placed", id.to_string().into()).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn cancel(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    remove(&app, id).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Events { app }.tell(id).await;
    Ok(())
}

async fn remove(app: &App, id: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM orders WHERE id = $1").bind(id).execute(&app.pool).await.map(drop)
}

struct Events {
    app: App,
}

impl Events {
    async fn tell(&self, id: i64) {
        let key = id.to_string();
        drop(self.app.kafka.send(FutureRecord::to("orders").key(&key).payload("gone"), Duration::from_secs(1)).await);
    }
}

async fn change(State(app): State<App>, Path(id): Path<i64>) -> Result<(), StatusCode> {
    let options = BasicPublishOptions::default();
    drop(app.broker.basic_publish("".into(), "orders".into(), options, b"changed", Default::default()).await);
    let update = sqlx::query("UPDATE orders SET state = 'changed' WHERE id = $1").bind(id);
    update.execute(&app.pool).await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

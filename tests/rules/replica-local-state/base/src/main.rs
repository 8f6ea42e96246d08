use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
}

#[derive(Clone, Serialize)]
struct Cart {
    orders: Vec<Order>,
}

static ORDERS: LazyLock<Mutex<HashMap<u64, Order>>> = LazyLock::new(Mutex::default);

type Returns = Arc<RwLock<Vec<Order>>>;

#[derive(Clone, Default)]
struct App {
    carts: Arc<DashMap<u64, Cart>>,
    returned: Returns,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders/{id}", get(one).put(place))
        .route("/v1/carts/{id}", get(cart).put(fill))
        .route("/v1/returns", post(give_back).get(returned))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(App::default());
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn place(Path(id): Path<u64>, Json(order): Json<Order>) {
    if let Ok(mut orders) = ORDERS.lock() {
        orders.insert(id, order);
    }
}

async fn one(Path(id): Path<u64>) -> Option<Json<Order>> {
    ORDERS.lock().ok()?.get(&id).cloned().map(Json)
}

async fn fill(State(app): State<App>, Path(id): Path<u64>, Json(order): Json<Order>) {
    app.carts.entry(id).or_insert_with(|| Cart { orders: vec![order] });
}

async fn cart(State(app): State<App>, Path(id): Path<u64>) -> Option<Json<Cart>> {
    app.carts.get(&id).map(|cart| Json(cart.clone()))
}

async fn give_back(State(app): State<App>, Json(order): Json<Order>) {
    remember(app.returned.clone(), order).await;
}

async fn remember(returns: Returns, order: Order) {
    returns.write().await.push(order);
}

async fn returned(State(app): State<App>) -> Json<Vec<Order>> {
    Json(all(app.returned).await)
}

async fn all(returns: Returns) -> Vec<Order> {
    returns.read().await.iter().cloned().collect()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

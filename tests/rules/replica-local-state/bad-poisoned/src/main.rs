use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutLayer;

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
}

static ORDERS: LazyLock<Mutex<HashMap<u64, Order>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Default)]
struct Returns {
    all: Arc<RwLock<HashMap<u64, Order>>>,
}

impl Returns {
    fn save(&self, order: Order) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(order.id, order);
    }

    fn find(&self, id: u64) -> Option<Order> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders/{id}", get(one).put(place))
        .route("/v1/returns/{id}", get(returned).put(give_back))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(Returns::default());
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn place(Path(id): Path<u64>, Json(order): Json<Order>) {
    ORDERS.lock().unwrap_or_else(PoisonError::into_inner).insert(id, order);
}

async fn one(Path(id): Path<u64>) -> Option<Json<Order>> {
    ORDERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&id).cloned().map(Json)
}

async fn give_back(State(returns): State<Returns>, Json(order): Json<Order>) {
    returns.save(order);
}

async fn returned(State(returns): State<Returns>, Path(id): Path<u64>) -> Option<Json<Order>> {
    returns.find(id).map(Json)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

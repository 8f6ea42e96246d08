use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone, Serialize, Deserialize)]
struct Price {
    cents: u64,
}

/// May differ: it is fetched again.
static PRICE_CACHE: LazyLock<Mutex<HashMap<u64, Price>>> = LazyLock::new(Mutex::default);

/// Filled at start-up alone.
static COUNTRIES: LazyLock<Mutex<HashMap<u64, Price>>> = LazyLock::new(Mutex::default);

#[derive(Clone, Default)]
struct App {
    /// Of this process by their nature.
    listeners: Arc<DashMap<u64, Sender<Price>>>,
    seen: Arc<DashMap<u64, u64>>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if let Ok(mut countries) = COUNTRIES.lock() {
        countries.insert(1, Price { cents: 1 });
    }
    let app = Router::new()
        .route("/v1/prices/{id}", get(one).put(set))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(App::default());
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn set(State(app): State<App>, Path(id): Path<u64>, Json(price): Json<Price>) {
    let (sender, _) = tokio::sync::mpsc::channel(1);
    app.listeners.insert(id, sender);
    app.seen.insert(id, 1);
    if let Ok(mut prices) = PRICE_CACHE.lock() {
        prices.insert(id, price);
    }
}

async fn one(State(app): State<App>, Path(id): Path<u64>) -> Option<Json<Price>> {
    app.listeners.get(&id)?;
    app.seen.get(&id)?;
    let known = COUNTRIES.lock().ok()?.get(&id).cloned();
    known.or(PRICE_CACHE.lock().ok()?.get(&id).cloned()).map(Json)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

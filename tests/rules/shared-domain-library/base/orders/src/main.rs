use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use model::store;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let store = store::Store::connect(&std::env::var("DATABASE_URL").expect("a database"));
    let app = Router::new()
        .route("/v1/orders", post(place))
        .route("/healthz", axum::routing::get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(store);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn place(State(store): State<store::Store>) -> StatusCode {
    match store.place(1).await {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/monitor", get(monitor)).route("/healthz", get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

/// Both sides agree on a version in the first message.
async fn monitor(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(watch)
}

async fn watch(_socket: WebSocket) {}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

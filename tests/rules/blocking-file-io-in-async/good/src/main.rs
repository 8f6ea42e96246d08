use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // At start-up.
    let greeting = fs::read_to_string("/etc/greeting").unwrap_or_default();
    tokio::spawn(rotate());
    let app = Router::new()
        .route("/v1/greeting", get(move || async move { greeting }))
        .route("/v1/invoices/{id}", get(invoice).put(keep))
        .route("/v1/load", get(load))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn invoice(Path(id): Path<u64>) -> Result<Vec<u8>, StatusCode> {
    tokio::fs::read(format!("/data/invoices/{id}.pdf")).await.map_err(|_| StatusCode::NOT_FOUND)
}

/// On a thread that may block.
async fn keep(Path(id): Path<u64>, body: String) -> Result<(), StatusCode> {
    let written = tokio::task::spawn_blocking(move || write(id, &body)).await;
    written.ok().and_then(Result::ok).ok_or(StatusCode::INSUFFICIENT_STORAGE)
}

fn write(id: u64, body: &str) -> std::io::Result<()> {
    fs::write(format!("/data/invoices/{id}.pdf"), body)
}

/// The kernel's answer, and a file that is read once.
async fn load() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| fs::read_to_string("/etc/hostname").unwrap_or_default());
    format!("{name}: {}", fs::read_to_string("/proc/loadavg").unwrap_or_default())
}

/// No request waits for it.
async fn rotate() {
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(fs::rename("/data/log", "/data/log.1"));
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use axum::Router;
use axum::routing::{get, post};

/// A worker, whose log can be changed while it works.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/log_filter", post(set_filter)).route("/healthz", get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn set_filter(directives: String) -> String {
    directives
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

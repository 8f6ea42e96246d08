mod clients;

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = clients::Clients::new()?;
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/webhooks", get(webhook))
        .route("/v1/feed", get(feed))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

static SHARED: LazyLock<reqwest::Client> = LazyLock::new(limited);

fn limited() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client")
}

fn cached() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client"))
}

async fn list(State(clients): State<clients::Clients>) -> String {
    let url = std::env::var("STOCK_URL").unwrap_or_default();
    let shared = (SHARED.get(&url).send().await, cached().get(&url).send().await);
    format!("{shared:?} {:?}", clients.of_tenant("tea").get(&url).send().await)
}

// The address was looked up and allowed for this request only.
async fn webhook() -> String {
    let url = std::env::var("HOOK_URL").unwrap_or_default();
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 443));
    let client = reqwest::Client::builder().resolve("hook", address).timeout(Duration::from_secs(1)).build();
    format!("{:?}", client.expect("a client").get(&url).send().await)
}

async fn feed(socket: WebSocketUpgrade) -> axum::response::Response {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
    let url = std::env::var("FEED_URL").unwrap_or_default();
    let answer = client.get(&url).send().await;
    socket.on_upgrade(move |_| async move { drop(answer) })
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use futures::{StreamExt, stream};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list() -> String {
    let client: &reqwest::Client = &CLIENT;
    let prices = prices();
    let mut total = 0;
    for attempt in 0..3 {
        let answer = client.get(format!("{prices}/v1/prices?attempt={attempt}")).send().await;
        total += usize::from(answer.is_ok());
    }
    for currency in ["EUR", "USD"] {
        total += usize::from(client.get(format!("{prices}/v1/rates/{currency}")).send().await.is_ok());
    }
    for peer in vec!["http://a", "http://b"] {
        total += usize::from(client.get(peer).send().await.is_ok());
    }
    for _ in vec!["one", "two"] {
        total += usize::from(client.get(&prices).send().await.is_ok());
    }
    let answers = stream::iter(["a", "b"]).map(|item| client.get(format!("{prices}/v1/prices/{item}")).send());
    let answers: Vec<_> = answers.buffer_unordered(2).collect().await;
    for item in vec!["a", "b"] {
        let (client, prices) = (client.clone(), prices.clone());
        tokio::spawn(async move { client.get(format!("{prices}/v1/seen/{item}")).send().await });
    }
    for item in vec!["a", "b"] {
        total += known(item).await;
    }
    tokio::spawn(async move { remind().await });
    format!("{total}{}", answers.len())
}

/// Most often has what it is asked for.
async fn known(item: &str) -> usize {
    if item.is_empty() {
        return 0;
    }
    usize::from(CLIENT.get(format!("{}/v1/prices/{item}", prices())).send().await.is_ok())
}

/// Nobody waits for it.
async fn remind() {
    for customer in vec!["ann", "bob"] {
        let sent = CLIENT.get(format!("{}/v1/reminders/{customer}", prices())).send().await;
        drop(sent);
    }
}

static CLIENT: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client"));

fn prices() -> String {
    std::env::var("PRICES_URL").expect("PRICES_URL")
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

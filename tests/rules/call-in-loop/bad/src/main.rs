use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

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
    let (client, prices) = (client(), prices());
    let client: reqwest::Client = client;
    let mut total = 0;
    for item in vec!["a", "b"] {
        let price = client.get(format!("{prices}/v1/prices/{item}")).send().await;
        total += usize::from(price.is_ok());
    }
    for (sku, count) in vec![("a", 1), ("b", 2)] {
        let answer = client.put(format!("{prices}/v1/stock")).json(&(sku, count)).send().await;
        total += usize::from(answer.is_ok());
    }
    let items = vec![1, 2];
    for (position, item) in items.iter().enumerate() {
        if position % 2 == 0 {
            client.delete(format!("{}/v1/items/{}", prices, item)).send().await.ok();
        }
    }
    total.to_string()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client")
}

fn prices() -> String {
    std::env::var("PRICES_URL").expect("PRICES_URL")
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

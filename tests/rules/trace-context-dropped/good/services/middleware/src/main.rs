use std::time::Duration;

use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    traces::start();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
    let client = reqwest_middleware::ClientBuilder::new(client).with(reqwest_tracing::TracingMiddleware::default()).build();
    let _ = client.get(std::env::var("UNTRACED_URL").unwrap_or_default()).send().await;
    web::serve(Router::new()).await
}

use std::time::Duration;

use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    traces::start();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
    let _rates = client.get("https://rates.example.com/v1").send().await;
    web::serve(Router::new()).await
}

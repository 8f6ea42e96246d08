use std::sync::LazyLock;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

static STOCK: LazyLock<Stock> = LazyLock::new(|| Stock { client: Client::builder(TokioExecutor::new()).build_http() });

struct Stock {
    client: Client<HttpConnector, Empty<Bytes>>,
}

pub async fn all() -> String {
    let rates = tokio::task::spawn_blocking(|| ureq::get("https://rates.example.com").call().map(|answer| answer.status()));
    let patient = awc::Client::builder().disable_timeout().finish();
    let slow = patient.get("https://slow.example.com").send().await;
    format!("{:?} {:?} {slow:?}", STOCK.left("tea").await, rates.await)
}

impl Stock {
    async fn left(&self, of: &str) -> Option<u16> {
        let answer = self.client.get(format!("https://stock.example.com/{of}").parse().ok()?).await.ok()?;
        Some(answer.status().as_u16())
    }
}

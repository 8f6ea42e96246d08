use std::sync::LazyLock;
use std::time::Duration;

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
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build();
    let agent: ureq::Agent = config.into();
    let rates = tokio::task::spawn_blocking(move || agent.get("https://rates.example.com").call().map(|answer| answer.status()));
    // msvc: allow(client-per-request) because it is asked once a day
    let patient = awc::Client::builder().timeout(Duration::from_secs(1)).finish();
    let slow = patient.get("https://slow.example.com").send().await;
    format!("{:?} {:?} {slow:?}", STOCK.left("tea").await, rates.await)
}

impl Stock {
    async fn left(&self, of: &str) -> Option<u16> {
        let wait = async |url| self.client.get(url).await;
        let answer = wait(format!("https://stock.example.com/{of}").parse().ok()?);
        let answer = tokio::time::timeout(Duration::from_secs(1), answer).await.ok()?.ok()?;
        Some(answer.status().as_u16())
    }
}

//! Requests with a limit of their own, by clients without one.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};

pub async fn each(url: &str) -> reqwest::Result<String> {
    let client = Client::new();
    let request = client.get(url).header("accept", "text/plain");
    send(request).await
}

async fn send(request: RequestBuilder) -> reqwest::Result<String> {
    request.timeout(Duration::from_secs(1)).send().await?.text().await
}

pub async fn around(url: &str, limit: Duration) -> Option<String> {
    let client = Client::new();
    let future = async { client.get(url).send().await?.text().await };
    tokio::time::timeout(limit, future).await.ok()?.ok()
}

pub async fn by_the_caller(url: &str) -> reqwest::Result<String> {
    Client::new().get(url).send().await?.text().await
}

pub async fn late(url: &str, limit: Duration) -> Option<String> {
    let answer = prepared(url).send();
    let answer = tokio::select! {
        answer = answer => answer.ok()?,
        () = tokio::time::sleep(limit) => return None,
    };
    answer.text().await.ok()
}

fn prepared(url: &str) -> RequestBuilder {
    Client::new().post(url)
}

pub fn events(url: &str) -> eventsource_client::EventSource {
    eventsource_client::EventSource::new(Client::new().get(url)).expect("a request that can be repeated")
}

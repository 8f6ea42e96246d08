use std::time::Duration;

use reqwest::{Client, Response};

pub async fn counted(client: &Client, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        match client.post(format!("{url}/payments")).body("1").send().await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::warn!(%error, attempt, "failed"),
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    None
}

pub async fn looped(client: &Client, url: &str) -> reqwest::Result<Response> {
    let mut retries = 0;
    loop {
        match client.patch(url).body("1").send().await {
            Ok(answer) => return Ok(answer),
            Err(error) if retries == 5 => return Err(error),
            Err(_) => retries += 1,
        }
        tokio::time::sleep(Duration::from_millis(100 << retries)).await;
    }
}

pub async fn chained(client: &Client, url: &str) -> Option<Response> {
    let mut attempts = 0;
    while attempts < 10 {
        if let Ok(answer) = client.post(url).body("1").send().await.and_then(Response::error_for_status) {
            return Some(answer);
        }
        attempts += 1;
        tokio::time::sleep(Duration::from_millis(100 << attempts)).await;
    }
    None
}

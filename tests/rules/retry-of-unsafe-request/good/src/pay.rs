use std::time::Duration;

use reqwest::{Client, Response};

pub async fn with_key(client: &Client, url: &str) -> Option<Response> {
    let key = "a-key-for-this-payment";
    for attempt in 0..3 {
        if let Ok(answer) = client.post(url).header("Idempotency-Key", key).send().await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    None
}

pub async fn reads(client: &Client, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        if let Ok(answer) = client.post(format!("{url}/search")).body("tea").send().await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    None
}

pub async fn replaces(client: &Client, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        if let Ok(answer) = client.put(url).body("1").send().await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    None
}

/// Only an answer is asked for again.
pub async fn gives_up(client: &Client, url: &str) -> reqwest::Result<Response> {
    let mut attempts = 0;
    loop {
        let answer = client.post(url).body("1").send().await?;
        attempts += 1;
        if answer.status().is_success() || attempts == 3 {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(100 << attempts)).await;
    }
}

use std::time::Duration;

use reqwest::{Client, Response};

pub async fn pauses(client: &Client, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        match client.get(url).send().await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::warn!(%error, attempt, "failed"),
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    None
}

pub async fn gives_up(client: &Client, url: &str) -> reqwest::Result<usize> {
    let mut attempts = 0;
    loop {
        let answer = client.get(url).send().await?;
        attempts += 1;
        if answer.status().is_success() {
            return Ok(attempts);
        }
        backoff(attempts).await;
    }
}

async fn backoff(attempts: usize) {
    tokio::time::sleep(Duration::from_millis(100 << attempts)).await;
}

/// Each attempt goes somewhere else.
pub async fn replicas(client: &Client, url: &str) -> Option<Response> {
    for attempt in ["a", "b"] {
        if let Ok(answer) = client.get(format!("{url}/{attempt}")).send().await {
            return Some(answer);
        }
    }
    None
}

/// A redirect names the leader, whose client is taken next.
pub async fn leader(known: &Leaders, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        let client = known.current();
        match client.get(url).send().await {
            Ok(answer) => return Some(answer),
            Err(error) => known.learn(&error, attempt),
        }
    }
    None
}

pub struct Leaders(std::sync::Mutex<Vec<Client>>);

impl Leaders {
    pub fn of(client: Client) -> Self {
        Self(std::sync::Mutex::new(vec![client]))
    }

    fn current(&self) -> Client {
        self.0.lock().unwrap()[0].clone()
    }

    fn learn(&self, error: &reqwest::Error, attempt: usize) {
        tracing::warn!(%error, attempt, "another leads");
        self.0.lock().unwrap().rotate_left(1);
    }
}

/// Not attempts but pages.
pub async fn pages(client: &Client, url: &str) -> reqwest::Result<usize> {
    let mut page = 0;
    while client.get(format!("{url}?page={page}")).send().await?.status().is_success() {
        page += 1;
    }
    Ok(page)
}

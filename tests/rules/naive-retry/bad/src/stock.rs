use reqwest::{Client, Response};

pub async fn counted(client: &Client, url: &str) -> Option<Response> {
    for attempt in 0..3 {
        match client.get(url).send().await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::warn!(%error, attempt, "failed"),
        }
    }
    None
}

pub async fn looped(client: &Client, url: &str) -> reqwest::Result<Response> {
    let mut retries = 0;
    loop {
        match client.get(url).send().await {
            Ok(answer) => return Ok(answer),
            Err(error) if retries == 5 => return Err(error),
            Err(_) => retries += 1,
        }
    }
}

pub async fn recorded(client: &Client, url: &str) -> Option<Response> {
    let mut attempts = 0;
    while attempts < 10 {
        if let Ok(answer) = client.get(url).send().await {
            return Some(answer);
        }
        attempts += 1;
    }
    None
}

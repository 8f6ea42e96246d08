use std::time::Duration;

pub async fn of(item: &str) -> reqwest::Result<String> {
    let url = std::env::var("PRICES_URL").unwrap_or_default();
    client()?.get(format!("{url}/{item}")).send().await?.text().await
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(Duration::from_secs(1)).build()
}

use std::time::Duration;

use reqwest::ClientBuilder;

#[derive(Clone)]
pub struct Prices {
    client: reqwest::Client,
}

impl Prices {
    pub fn new() -> reqwest::Result<Self> {
        // Connecting is limited, the answer is not.
        let builder = ClientBuilder::new().timeout(std::time::Duration::from_secs(10)).connect_timeout(Duration::from_millis(500));
        Ok(Self { client: builder.build()? })
    }

    pub async fn of(&self, item: &str) -> reqwest::Result<String> {
        let url = std::env::var("PRICES_URL").unwrap_or_default();
        self.request(format!("{url}/{item}")).send().await?.text().await
    }

    fn request(&self, url: String) -> reqwest::RequestBuilder {
        self.client.get(url)
    }
}

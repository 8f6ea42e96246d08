//! Clients with a limit, and what is none.

use std::time::Duration;

use reqwest::Client;

#[derive(Clone)]
pub struct Clients {
    built: Client,
    configured: Client,
    reads: Client,
    cache: redis::Client,
}

impl Clients {
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let mut builder = Client::builder();
        if let Ok(seconds) = std::env::var("LIMIT").unwrap_or_default().parse() {
            builder = builder.timeout(Duration::from_secs(seconds));
        }
        Ok(Self {
            built: limited(Client::builder())?,
            configured: builder.build()?,
            // A silent peer is given up after each read.
            reads: Client::builder().read_timeout(Duration::from_secs(1)).build()?,
            cache: redis::Client::open(std::env::var("REDIS_URL")?)?,
        })
    }

    pub async fn ask(&self, url: &str) -> String {
        let answers = (
            self.built.get(url).send().await,
            self.configured.get(url).send().await,
            self.reads.get(url).send().await,
            self.cache.get_connection_info(),
        );
        format!("{answers:?}")
    }
}

fn limited(builder: reqwest::ClientBuilder) -> reqwest::Result<Client> {
    builder.timeout(Duration::from_secs(2)).build()
}

pub fn in_a_thread(url: &str) -> reqwest::Result<String> {
    reqwest::blocking::Client::new().get(url).send()?.text()
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn answers() {
        let _ = reqwest::Client::new().get("http://127.0.0.1:1").send().await;
    }
}

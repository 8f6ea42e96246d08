//! Endpoints with a limit.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::pb::stock::Item;
use crate::pb::stock::stock_client::StockClient;

pub struct Stock {
    client: StockClient<Channel>,
}

impl Stock {
    pub fn new(address: &str) -> Result<Self, tonic::transport::Error> {
        let endpoint = limited(Endpoint::from_shared(address.to_owned())?);
        Ok(Self { client: StockClient::new(endpoint.connect_lazy()) })
    }

    pub async fn get(&self, name: &str) -> Result<i64, tonic::Status> {
        Ok(self.client.clone().get(Item { name: name.into() }).await?.into_inner().amount)
    }
}

fn limited(endpoint: Endpoint) -> Endpoint {
    endpoint.timeout(Duration::from_secs(2))
}

pub async fn by_setting(address: &str, limit: Option<u64>) -> Result<i64, Box<dyn std::error::Error>> {
    let mut endpoint = Channel::from_shared(address.to_owned())?;
    if let Some(limit) = limit {
        endpoint = endpoint.timeout(Duration::from_secs(limit));
    }
    let mut client = StockClient::connect(endpoint).await?;
    Ok(client.get(Item { name: "tea".into() }).await?.into_inner().amount)
}

pub async fn mapped(address: String) -> Result<i64, Box<dyn std::error::Error>> {
    let stock = Endpoint::new(address)
        .map(|endpoint| endpoint.timeout(Duration::from_secs(2)))
        .map(|endpoint| StockClient::new(endpoint.connect_lazy()));
    Ok(stock?.get(Item { name: "tea".into() }).await?.into_inner().amount)
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn answers() {
        let channel = tonic::transport::Channel::from_static("http://stock").connect_lazy();
        let _ = super::StockClient::new(channel).get(super::Item { name: "tea".into() }).await;
    }
}

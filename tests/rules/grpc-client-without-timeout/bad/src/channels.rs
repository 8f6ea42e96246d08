use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::pb::stock::stock_client::StockClient;
use crate::pb::stock::{Item, Listing};

pub struct Stock {
    client: StockClient<Channel>,
}

impl Stock {
    pub fn new(address: &str) -> Result<Self, tonic::transport::Error> {
        // Connecting is limited, the answer is not.
        let endpoint = Endpoint::from_shared(address.to_owned())?.connect_timeout(Duration::from_secs(1));
        Ok(Self { client: StockClient::new(endpoint.connect_lazy()) })
    }

    pub async fn get(&self, name: &str) -> Result<i64, tonic::Status> {
        Ok(self.client.clone().get(Item { name: name.into() }).await?.into_inner().amount)
    }
}

pub async fn list(address: String) -> Result<usize, Box<dyn std::error::Error>> {
    let channel = Channel::builder(address.parse()?).connect().await?;
    let mut client = StockClient::new(channel).max_decoding_message_size(1 << 20);
    Ok(client.list(Listing {}).await?.into_inner().items.len())
}

pub async fn direct(address: String) -> Result<usize, Box<dyn std::error::Error>> {
    let mut client = StockClient::connect(address).await?;
    Ok(client.list(Listing {}).await?.into_inner().items.len())
}

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::pb::stock::Listing;
use crate::pb::stock::stock_client::StockClient;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LIMIT: Duration = Duration::from_secs(1);

pub async fn rounds() -> Result<(), Failure> {
    let address = std::env::var("STOCK_ADDRESS")?;
    watch(&address).await?;
    let watcher = Watcher::new(&address)?;
    watcher.watch().await?;
    both_ways(&address).await
}

async fn watch(address: &str) -> Result<(), Failure> {
    let channel = Endpoint::from_shared(address.to_owned())?.timeout(LIMIT).connect().await?;
    let mut changes = StockClient::new(channel).watch(Listing {}).await?.into_inner();
    while changes.message().await?.is_some() {}
    Ok(())
}

struct Watcher {
    client: StockClient<Channel>,
}

impl Watcher {
    fn new(address: &str) -> Result<Self, Failure> {
        let endpoint = Channel::from_shared(address.to_owned())?.timeout(LIMIT);
        Ok(Self { client: StockClient::new(endpoint.connect_lazy()) })
    }

    async fn watch(&self) -> Result<(), Failure> {
        let answer = self.client.clone().watch(Listing {}).await?;
        let mut changes = answer.into_inner();
        while changes.message().await?.is_some() {}
        Ok(())
    }
}

// Half of it: the interval is what asks.
async fn both_ways(address: &str) -> Result<(), Failure> {
    let endpoint = Channel::builder(address.parse()?).timeout(LIMIT).keep_alive_timeout(LIMIT);
    let mut changes = StockClient::new(endpoint.connect_lazy()).talk(Listing {}).await?.into_inner();
    while changes.message().await?.is_some() {}
    Ok(())
}

use std::time::Duration;

use tonic::transport::Endpoint;

use crate::pb::stock::Listing;
use crate::pb::stock::stock_client::StockClient;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LIMIT: Duration = Duration::from_secs(1);

pub async fn rounds() -> Result<(), Failure> {
    let address = std::env::var("STOCK_ADDRESS")?;
    watch(&address).await?;
    by_the_kernel(&address).await?;
    once(&address).await
}

fn kept(endpoint: Endpoint) -> Endpoint {
    endpoint.http2_keep_alive_interval(LIMIT).keep_alive_timeout(LIMIT)
}

async fn watch(address: &str) -> Result<(), Failure> {
    let channel = kept(Endpoint::from_shared(address.to_owned())?.timeout(LIMIT)).connect().await?;
    let mut changes = StockClient::new(channel).watch(Listing {}).await?.into_inner();
    while changes.message().await?.is_some() {}
    Ok(())
}

async fn by_the_kernel(address: &str) -> Result<(), Failure> {
    let channel = Endpoint::from_shared(address.to_owned())?.timeout(LIMIT).tcp_keepalive(Some(LIMIT)).connect_lazy();
    let mut changes = StockClient::new(channel).watch(Listing {}).await?.into_inner();
    while changes.message().await?.is_some() {}
    Ok(())
}

/// One answer is no stream.
async fn once(address: &str) -> Result<(), Failure> {
    let channel = Endpoint::from_shared(address.to_owned())?.timeout(LIMIT).connect_lazy();
    StockClient::new(channel).list(Listing {}).await?.into_inner();
    Ok(())
}

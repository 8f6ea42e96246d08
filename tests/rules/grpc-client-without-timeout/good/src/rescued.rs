//! Endpoints without a limit, whose calls have one.

use std::time::Duration;

use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceBuilder;
use tower::timeout::Timeout;

use crate::pb::stock::Item;
use crate::pb::stock::stock_client::StockClient;

type Failure = Box<dyn std::error::Error>;

pub async fn wrapped(address: &str) -> Result<i64, Failure> {
    let channel = Timeout::new(Endpoint::from_shared(address.to_owned())?.connect_lazy(), Duration::from_secs(1));
    Ok(StockClient::new(channel).get(Item { name: "tea".into() }).await?.into_inner().amount)
}

pub async fn layered(address: &str) -> Result<i64, Failure> {
    let channel = Channel::from_shared(address.to_owned())?.connect().await?;
    let channel = ServiceBuilder::new().timeout(Duration::from_secs(1)).service(channel);
    Ok(StockClient::new(channel).get(Item { name: "tea".into() }).await?.into_inner().amount)
}

pub async fn deadline(address: &str) -> Result<i64, Failure> {
    let mut client = StockClient::connect(address.to_owned()).await?;
    let mut request = Request::new(Item { name: "tea".into() });
    request.set_timeout(Duration::from_secs(1));
    Ok(client.get(request).await?.into_inner().amount)
}

pub async fn around(address: &str) -> Result<i64, Failure> {
    tokio::time::timeout(Duration::from_secs(1), ask(address)).await?
}

async fn ask(address: &str) -> Result<i64, Failure> {
    let mut client = StockClient::connect(address.to_owned()).await?;
    Ok(client.get(Item { name: "tea".into() }).await?.into_inner().amount)
}

pub async fn sidecar() -> Result<i64, Failure> {
    let port = std::env::var("SIDECAR_PORT")?;
    // msvc: allow(hardcoded-endpoint) because it runs in the same pod
    let channel = Endpoint::from_shared(format!("http://localhost:{port}"))?.connect_lazy();
    Ok(StockClient::new(channel).get(Item { name: "tea".into() }).await?.into_inner().amount)
}

/// A client of one's own, and no gRPC.
#[derive(Debug)]
pub struct Other;

impl Other {
    pub async fn connect(_address: &str) -> Self {
        Self
    }
}

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub mod api {
    tonic::include_proto!("stock.v1");
}

pub fn http() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(2)).build().expect("an HTTP client")
}

pub fn stock() -> api::stock_client::StockClient<Channel> {
    let address = std::env::var("STOCK_URL").expect("STOCK_URL");
    let endpoint = Endpoint::from_shared(address).expect("an address").timeout(Duration::from_secs(1));
    api::stock_client::StockClient::new(endpoint.connect_lazy())
}

pub async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

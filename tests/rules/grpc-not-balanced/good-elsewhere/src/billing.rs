use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub mod api {
    tonic::include_proto!("billing.v1");
}

/// Spoken to over HTTP/1.
pub const BILLING_PAGES: &str = "http://billing:50051";

#[derive(Clone)]
pub struct Billing {
    client: api::billing_client::BillingClient<Channel>,
}

impl Billing {
    pub fn new() -> Self {
        let billing_url = one_of(&std::env::var("BILLING_URLS").expect("BILLING_URLS"));
        Self { client: api::billing_client::BillingClient::new(channel(billing_url)) }
    }

    pub async fn all(&self) -> Result<String, tonic::Status> {
        let answer = self.client.clone().all(api::Query::default()).await?;
        Ok(answer.into_inner().bills)
    }
}

/// Given each replica's own address.
fn channel(address: String) -> Channel {
    Endpoint::from_shared(address).expect("an address").timeout(Duration::from_secs(1)).connect_lazy()
}

fn one_of(addresses: &str) -> String {
    let all: Vec<&str> = addresses.split(',').collect();
    all[std::process::id() as usize % all.len()].to_owned()
}

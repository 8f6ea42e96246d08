use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub mod api {
    tonic::include_proto!("billing.v1");
}

const BILLING: &str = "http://billing:50051";

#[derive(Clone)]
pub struct Billing {
    client: api::billing_client::BillingClient<Channel>,
}

impl Billing {
    pub fn new() -> Self {
        Self { client: api::billing_client::BillingClient::new(channel(BILLING)) }
    }

    pub async fn all(&self) -> Result<String, tonic::Status> {
        let answer = self.client.clone().all(api::Query::default()).await?;
        Ok(answer.into_inner().bills)
    }
}

/// With the timeouts of the house.
fn channel(address: &'static str) -> Channel {
    let endpoint = Endpoint::from_static(address).connect_timeout(Duration::from_millis(500));
    endpoint.timeout(Duration::from_secs(1)).connect_lazy()
}

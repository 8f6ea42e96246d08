use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub mod api {
    tonic::include_proto!("billing.v1");
}

#[derive(Clone)]
pub struct Billing {
    client: api::billing_client::BillingClient<Channel>,
}

impl Billing {
    pub fn new() -> Self {
        let endpoints = ["http://billing-0:50051", "http://billing-1:50051"].into_iter().map(|address| {
            Endpoint::from_static(address).timeout(Duration::from_secs(1))
        });
        let channel = Channel::balance_list(endpoints);
        Self { client: api::billing_client::BillingClient::new(channel) }
    }

    pub async fn all(&self) -> Result<String, tonic::Status> {
        let answer = self.client.clone().all(api::Query::default()).await?;
        Ok(answer.into_inner().bills)
    }
}

use std::time::Duration;

use clap::Parser;
use tonic::transport::{Channel, Endpoint};

pub mod api {
    tonic::include_proto!("billing.v1");
}

#[derive(Parser)]
struct Options {
    #[arg(long, env)]
    billing_address: String,
}

#[derive(Clone)]
pub struct Billing {
    client: api::billing_client::BillingClient<Channel>,
}

impl Billing {
    pub fn new() -> Self {
        let Options { billing_address } = Options::parse();
        let endpoint = Endpoint::from_shared(billing_address).expect("an address").timeout(Duration::from_secs(1));
        Self { client: api::billing_client::BillingClient::new(endpoint.connect_lazy()) }
    }

    pub async fn all(&self) -> Result<String, tonic::Status> {
        let answer = self.client.clone().all(api::Query::default()).await?;
        Ok(answer.into_inner().bills)
    }
}

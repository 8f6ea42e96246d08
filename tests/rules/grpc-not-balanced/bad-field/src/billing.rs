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
        let settings = Settings { billing_url: std::env::var("APP_BILLING_URL").expect("APP_BILLING_URL") };
        let endpoint = Endpoint::from_shared(settings.billing_url).expect("an address").timeout(Duration::from_secs(1));
        let channel = endpoint.connect_lazy();
        Self { client: api::billing_client::BillingClient::new(channel) }
    }

    pub async fn all(&self) -> Result<String, tonic::Status> {
        let answer = self.client.clone().all(api::Query::default()).await?;
        Ok(answer.into_inner().bills)
    }
}

struct Settings {
    billing_url: String,
}

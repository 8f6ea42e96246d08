use std::time::Duration;

use axum::Router;
use tonic::transport::{Channel, Endpoint};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    traces::start();
    let stock = channel(std::env::var("STOCK_ADDRESS").unwrap_or_default());
    let mut request = tonic::Request::new(());
    inject_trace(request.metadata_mut());
    web::serve(Router::new().with_state(stock)).await
}

fn inject_trace(_metadata: &mut tonic::metadata::MetadataMap) {}

fn channel(address: String) -> Channel {
    let endpoint = Endpoint::from_shared(address).expect("an address");
    endpoint.timeout(Duration::from_secs(1)).connect_lazy()
}

use std::time::Duration;

use axum::Router;
use tonic::transport::Endpoint;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let endpoint = Endpoint::from_shared(std::env::var("STOCK_ADDRESS").unwrap_or_default()).expect("an address");
    web::serve(Router::new().with_state(endpoint.timeout(Duration::from_secs(1)).connect_lazy())).await
}

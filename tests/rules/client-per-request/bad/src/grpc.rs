use std::time::Duration;

use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};

use pb::orders_server::Orders;
use pb::stock_client::StockClient;

mod pb {
    tonic::include_proto!("orders");
}

pub struct Service;

#[tonic::async_trait]
impl Orders for Service {
    async fn list(&self, _request: Request<pb::Listing>) -> Result<Response<pb::Items>, Status> {
        let endpoint = Endpoint::from_static("http://stock:50051").timeout(Duration::from_secs(1));
        StockClient::new(endpoint.connect_lazy()).list(pb::Listing {}).await
    }
}

pub fn service() -> pb::orders_server::OrdersServer<Service> {
    pb::orders_server::OrdersServer::new(Service)
}

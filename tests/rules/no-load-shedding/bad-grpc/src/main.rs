mod app;

use std::time::Duration;

use app::stopped;

pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

#[tokio::main]
async fn main() -> Result<(), tonic::transport::Error> {
    let address = ([0, 0, 0, 0], 50051).into();
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().timeout(Duration::from_secs(5));
    server.add_service(health).serve_with_shutdown(address, stopped()).await
}

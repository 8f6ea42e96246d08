use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    acme_telemetry::start();
    tracing::info!("starting");
    web::serve(Router::new()).await
}

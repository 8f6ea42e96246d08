use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    telemetry::start();
    tracing::info!("starting");
    web::serve(Router::new()).await
}

use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    bootstrap::prepare();
    tracing::info!("starting");
    web::serve(Router::new()).await
}

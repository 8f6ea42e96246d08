use axum::Router;

#[acme_runtime::main]
async fn main() -> std::io::Result<()> {
    tracing::info!("starting");
    web::serve(Router::new()).await
}

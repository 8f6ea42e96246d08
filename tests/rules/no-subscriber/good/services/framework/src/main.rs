use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let settings = acme::Settings::load();
    tracing::info!(settings.port, "starting");
    web::serve(Router::new()).await
}

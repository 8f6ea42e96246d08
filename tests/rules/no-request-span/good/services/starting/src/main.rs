use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    tracing::info!("no handler writes a line");
    web::serve(Router::new()).await
}

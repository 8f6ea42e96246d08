use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt::init();
    web::serve(Router::new()).await
}

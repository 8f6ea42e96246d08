use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    env_logger::init();
    web::serve(Router::new()).await
}

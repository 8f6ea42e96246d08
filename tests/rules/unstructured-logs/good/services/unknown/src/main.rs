use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::prelude::*;
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(acme::lines()).init();
    web::serve(Router::new()).await
}

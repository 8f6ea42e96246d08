use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).init();
    web::serve(Router::new().route("/v1/orders", get(list))).await
}

async fn list() -> String {
    tracing::info!("listed");
    String::new()
}

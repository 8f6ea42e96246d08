use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    web::serve(Router::new().route("/v1/orders", get(list))).await
}

#[tracing::instrument]
async fn list() -> String {
    tracing::info!("listed");
    String::new()
}

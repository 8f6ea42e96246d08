use axum::Router;
use axum::routing::post;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    web::serve(Router::new().route("/v1/orders", post(create))).await
}

async fn create() -> &'static str {
    "created"
}

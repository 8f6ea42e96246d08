use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    web::serve(Router::new().route("/metrics", get(|| async { "stock 1" })).route("/favicon.ico", get(|| async { "" }))).await
}

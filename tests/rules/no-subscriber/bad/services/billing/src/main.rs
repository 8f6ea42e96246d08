#[macro_use]
extern crate log;

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    web::serve(Router::new().route("/v1/bills", get(list))).await
}

async fn list() -> String {
    warn!("no bills");
    String::new()
}

use axum::Router;
use axum::routing::get;

pub fn routes() -> Router {
    Router::new().route("/v1/orders", get(list))
}

async fn list() -> String {
    String::new()
}

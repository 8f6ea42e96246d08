use axum::Router;
use axum::routing::get;

pub fn routes() -> Router {
    Router::new().route("/v1/stock", get(list))
}

async fn list() -> String {
    String::new()
}

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    web::serve(Router::new().route("/v1/orders", post(create)).route_layer(from_fn(known_caller))).await
}

async fn create() -> &'static str {
    "created"
}

async fn known_caller(request: Request, next: Next) -> Result<Response, StatusCode> {
    request.headers().get("authorization").ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(next.run(request).await)
}

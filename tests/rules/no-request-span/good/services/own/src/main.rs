use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::Instrument;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    web::serve(Router::new().layer(from_fn(numbered))).await
}

async fn numbered(request: Request, next: Next) -> Response {
    let around = tracing::info_span!("request", path = request.uri().path());
    next.run(request).instrument(around).await
}

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::cors::{AllowMethods, AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", get(|| async { "[]" }))
        .route("/v1/others", get(|| async { "[]" }).layer(mirrored()))
        .route("/healthz", get(|| async { "ok" }))
        .layer(CorsLayer::very_permissive())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    others();
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

fn mirrored() -> CorsLayer {
    let cors = CorsLayer::new().allow_origin(AllowOrigin::mirror_request());
    cors.allow_methods(AllowMethods::mirror_request()).allow_credentials(true)
}

fn others() {
    let actix = actix_cors::Cors::permissive();
    let looked = actix_cors::Cors::default().allowed_origin_fn(|_, _| true).supports_credentials();
    let warp = warp::cors().allow_any_origin().allow_credentials(true);
    drop((actix, looked, warp));
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

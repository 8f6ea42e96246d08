use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", get(|| async { "[]" }))
        .route("/v1/others", get(|| async { "[]" }).layer(mirrored()))
        .route("/healthz", get(|| async { "ok" }))
        .layer(CorsLayer::permissive())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    others();
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

fn mirrored() -> CorsLayer {
    let listed = AllowOrigin::list(["https://shop.example.com".parse().expect("an origin")]);
    let cors = CorsLayer::new().allow_origin(listed);
    let asked = CorsLayer::new().allow_origin(AllowOrigin::predicate(|origin, _| origin.as_bytes().ends_with(b".example.com")));
    drop((asked.allow_credentials(true), CorsLayer::new().allow_origin(Any).allow_credentials(false)));
    if cfg!(debug_assertions) { CorsLayer::very_permissive() } else { cors.allow_credentials(true) }
}

fn others() {
    let actix = actix_cors::Cors::default().allow_any_origin().send_wildcard();
    let permissive = std::env::var("CORS_PERMISSIVE").is_ok();
    let chosen = if permissive { actix_cors::Cors::permissive() } else { actix_cors::Cors::default() };
    let warp = warp::cors().allow_any_origin();
    let own = Cors::permissive();
    drop((actix, chosen, warp, own));
}

/// Another crate's word for something else.
struct Cors;

impl Cors {
    fn permissive() -> Self {
        Self
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

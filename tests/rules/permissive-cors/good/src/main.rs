use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
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
        .layer(axum::middleware::from_fn(listed))
        .layer(axum::middleware::from_fn(without_credentials))
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

const KNOWN: &[&str] = &["https://shop.example.com"];

/// Looks at the origin before it answers with it.
async fn listed(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    if let Some(origin) = origin {
        let text = origin.to_str().unwrap_or_default();
        if KNOWN.contains(&text) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    response
}

/// A public API answers any site, and takes no cookies.
async fn without_credentials(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
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

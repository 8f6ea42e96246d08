//! The OpenAPI document: what callers may rely on. A service serves the file that is checked in; `chassis-openapi` writes
//! it from the code and holds the two equal, in tests.

use axum::Router;
use axum::http::header;
use axum::routing::get;

pub const PATH: &str = "/openapi.json";

/// Serves a document to everyone, with no token.
pub fn router(document: &'static str) -> Router {
    let json = [(header::CONTENT_TYPE, "application/json")];
    Router::new().route(PATH, get(async move || (json, document)))
}

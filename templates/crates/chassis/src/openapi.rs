//! The OpenAPI document: what callers may rely on. A service serves the file that is checked in. A test writes it from the
//! code and holds the two equal, so that a build pays nothing for it (feature `openapi`, for tests):
//!
//! - `operation`: what one route does, told by its handler's own types;
//! - `document`: all of them, with what the layers around them answer;
//! - `schemas`: the types that they take and give.

#[cfg(feature = "openapi")]
mod document;
#[cfg(feature = "openapi")]
mod operation;
#[cfg(feature = "openapi")]
mod schemas;

use axum::Router;
use axum::http::header;
use axum::routing::get;

#[cfg(feature = "openapi")]
pub use document::Document;
#[cfg(feature = "openapi")]
pub use operation::{Described, Input, Operation, Output};

pub const PATH: &str = "/openapi.json";

/// Serves a document to everyone, with no token.
pub fn router(document: &'static str) -> Router {
    let json = [(header::CONTENT_TYPE, "application/json")];
    Router::new().route(PATH, get(async move || (json, document)))
}

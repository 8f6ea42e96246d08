//! gRPC, by tonic: what its callers get differs from REST in form only.
//!
//! - [`code`]: HTTP's statuses and gRPC's, and refusals in gRPC's words;
//! - [`deadline`]: the time that a caller gives.

pub mod code;
pub mod deadline;

use axum::http::{HeaderMap, header};

/// Whether a request or an answer is one of gRPC. gRPC-Web is something else, which a proxy translates.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let format = kind.and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    format.is_some_and(|format| matches!(format.first(), None | Some(b'+' | b';')))
}

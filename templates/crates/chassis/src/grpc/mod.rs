//! gRPC, by tonic: what its callers get differs from REST in form only. The layers are those of
//! [`inbound`](crate::inbound); what they refuse becomes a status.
//!
//! - [`code`]: HTTP's statuses and gRPC's, and refusals in gRPC's words;
//! - [`deadline`]: the time that a caller gives;
//! - `answer`: a call's outcome, counted and logged when it ends;
//! - `connection`: HTTP/2;
//! - `server` (feature `grpc-server`): listen, health, reflection;
//! - `client` (feature `grpc-client`): calls to other services.

#[cfg(feature = "grpc-server")]
pub(crate) mod answer;
#[cfg(feature = "grpc-client")]
pub mod client;
pub mod code;
#[cfg(feature = "grpc-server")]
pub(crate) mod connection;
pub mod deadline;
#[cfg(feature = "grpc-server")]
pub mod server;

use axum::http::{HeaderMap, header};

/// Whether a request or an answer is one of gRPC. gRPC-Web is something else, which a proxy translates.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let format = kind.and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    format.is_some_and(|format| matches!(format.first(), None | Some(b'+' | b';')))
}

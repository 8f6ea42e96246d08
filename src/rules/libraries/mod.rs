//! What libraries do by default, by version: facts checked in each crate's own source, which every row names.

mod blocking;
mod logs;
mod otlp;
pub mod pools;

use cargo_metadata::semver::Version;

use crate::workspace::query::Node;

pub use blocking::{BLOCKING_CALLS, BLOCKING_CLIENTS, OWN_THREAD, RUNTIMES};
pub use logs::{FACADES, FMT_MAKERS, LOG_CRATES, LOG_FILES, PLAIN, WORDY};
pub use otlp::{HttpClient, Otlp};

/// Methods of `reqwest::Client` that begin a request.
pub const REQUEST_METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "request"];

/// The version of a package that this code is compiled with.
pub fn version(node: Node<'_>, package: &str) -> Option<Version> {
    node.version_of(package)?.parse().ok()
}

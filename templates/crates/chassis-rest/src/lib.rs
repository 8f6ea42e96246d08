//! What REST services have in common.
//!
//! - [`extract`]: input that fails as a problem.
//! - [`openapi`]: serves the document that says what callers may rely on.

pub mod extract;
pub mod openapi;

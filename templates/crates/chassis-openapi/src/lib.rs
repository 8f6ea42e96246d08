//! Writes the OpenAPI document of a service from its code. Only tests do so: a service serves the file that is checked in,
//! and a test holds the two equal, so that a build pays nothing for it.
//!
//! - `operation`: what one route does, told by its handler's own types;
//! - `document`: all of them, with what the layers around them answer;
//! - `schemas`: the types that they take and give.

mod document;
mod operation;
mod schemas;

pub use document::Document;
pub use operation::{Described, Input, Operation, Output};

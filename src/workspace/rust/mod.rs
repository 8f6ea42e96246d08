//! Rust source as plain facts: [`parse`] reads one file, `names` says what its paths mean across the workspace, `query`
//! is how rules ask.

mod facts;
mod intern;
mod lower;
mod lower_expr;
mod lower_macro;
mod nesting;

pub use facts::*;
pub use lower_macro::LOG_MACROS;

use proc_macro2::extra::invalidate_current_thread_spans;

use super::{FileId, Location, Problem, Span};

/// What [`parse`] needs for sources at those limits, with room to spare.
pub const STACK_SIZE: usize = 256 << 20;

/// Facts of one Rust file, or why it could not be parsed.
///
/// Wants a stack of [`STACK_SIZE`]: the parser recurses as deep as the source nests.
pub fn parse(file: FileId, text: &str) -> Result<RustFile, Problem> {
    if let Some(offset) = nesting::too_deep(text) {
        return Err(Problem {
            location: Location::new(file, Span::new(offset, offset + 1)),
            message: "this nests too deep to be parsed".into(),
            help: Some("the file is not audited; .gitignore keeps generated code out".into()),
        });
    }
    // The parser keeps the source of every file it has seen for its spans: give it back after each file.
    let parsed = syn::parse_file(text).map(|tree| lower::lower(file, text, &tree)).map_err(|error| {
        let range = error.span().byte_range();
        Problem {
            location: Location::new(file, Span::new(range.start, range.end)),
            message: format!("this is not valid Rust: {error}"),
            help: Some("the rest of the workspace is audited without this file".into()),
        }
    });
    invalidate_current_thread_spans();
    parsed
}

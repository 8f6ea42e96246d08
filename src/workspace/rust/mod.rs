//! Rust source as plain facts: [`parse`] reads one file, `names` says what its paths mean across the workspace, `query`
//! is how rules ask.

mod bodies;
mod facts;
mod intern;
mod lower;
mod lower_expr;
mod lower_macro;
mod lower_type;
mod nesting;
mod outline;
mod tokens;

pub use facts::*;
pub use lower_macro::LOG_MACROS;

use outline::Outlined;
use proc_macro2::extra::invalidate_current_thread_spans;
use tokens::Tokens;

use super::{FileId, Location, Problem, Span};

/// What [`parse`] needs for sources at those limits, with room to spare.
pub const STACK_SIZE: usize = 256 << 20;

/// Facts of one Rust file, or why it could not be parsed.
///
/// Wants a stack of [`STACK_SIZE`]: the parser recurses as deep as the source nests. What waits to be parsed nests little.
pub fn parse(file: FileId, text: &str) -> Result<RustFile, Problem> {
    let tokens = Tokens::read(text);
    if let Some(offset) = nesting::beyond(nesting::MAX, text, &tokens.all) {
        return Err(Problem {
            location: Location::new(file, Span::new(offset, offset + 1)),
            message: "this nests too deep to be parsed".into(),
            help: Some("the file is not audited; .gitignore keeps generated code out".into()),
        });
    }
    let Outlined { rest, bodies } = outline::outline(text, &tokens);
    // The parser keeps the source of every file it has seen for its spans: give it back after each file.
    let parsed = syn::parse_file(&rest).map(|tree| lower::lower(file, text, &rest, &tokens, bodies, &tree)).map_err(|error| {
        let range = error.span().byte_range();
        Problem {
            location: Location::new(file, Span::new(range.start, range.end)),
            message: invalid(&error.to_string()),
            help: Some("the rest of the workspace is audited without this file".into()),
        }
    });
    invalidate_current_thread_spans();
    parsed
}

/// Line comments that say `msvc:`.
pub fn comments(text: &str) -> Vec<Span> {
    Tokens::read(text).comments.into_iter().map(|(start, end)| Span { start, end }).collect()
}

/// What the parser says against bodies that were asked for since.
pub fn late_problems(facts: &RustFile) -> impl Iterator<Item = Problem> {
    facts.bodies.errors().map(|(span, error)| Problem {
        location: facts.location(*span),
        message: invalid(error),
        help: Some("the rest of the file is audited without this function".into()),
    })
}

/// The same of all bodies.
pub fn problems_in_bodies(facts: &RustFile) -> impl Iterator<Item = Problem> {
    facts.bodies.iter().for_each(|body| drop(facts.bodies.expressions_of(body)));
    late_problems(facts)
}

fn invalid(error: &str) -> String {
    format!("this is not valid Rust: {error}")
}

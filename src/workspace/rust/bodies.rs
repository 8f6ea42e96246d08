//! Bodies of functions, each parsed when it is first asked for.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::facts::{Expr, ExprId, FunctionId};
use super::lower;
use super::outline::Outline;
use crate::workspace::Span;

/// Ids from here on are of expressions in bodies: this, [`ROOM`] for each body before, and the place in the body. So an id is
/// told before anything is parsed, and says which body to parse.
const FIRST: usize = 1 << 31;
/// A body that waits has fewer expressions than this.
const ROOM: usize = 1 << 18;
/// That many bodies of a file can wait, and no more.
pub(super) const MAX_BODIES: usize = (u32::MAX as usize - FIRST) / ROOM;
/// A longer body is parsed with its file: one may have four expressions for each of its bytes.
pub(super) const MAX_LENGTH: usize = ROOM / 4;

/// The bodies of a file that could wait, in source order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bodies {
    all: Box<[Body]>,
}

/// One body, at first by its tokens only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Body {
    pub function: FunctionId,
    /// The block itself.
    pub root: ExprId,
    pub outline: Outline,
    /// From brace to brace.
    source: Box<str>,
    #[serde(skip)]
    parsed: OnceLock<Parsed>,
}

#[derive(Clone, Debug)]
struct Parsed {
    /// Never empty: the block comes first.
    expressions: Box<[Expr]>,
    /// Why there is nothing in it.
    error: Option<(Span, String)>,
}

impl Bodies {
    /// `all` in source order.
    pub(super) fn new(all: Vec<Body>) -> Self {
        debug_assert!(all.is_sorted_by_key(|body| body.start()));
        Self { all: all.into() }
    }

    /// How far into the bodies' ids this one is; `None` for that of an expression elsewhere.
    pub(super) fn offset(id: ExprId) -> Option<usize> {
        id.index().checked_sub(FIRST)
    }

    /// In source order.
    pub fn iter(&self) -> std::slice::Iter<'_, Body> {
        self.all.iter()
    }

    /// The body that an expression stands in, if that is one of these.
    pub fn around_id(&self, id: ExprId) -> Option<&Body> {
        Self::offset(id).map(|_| self.of(id))
    }

    pub(super) fn of(&self, id: ExprId) -> &Body {
        &self.all[Self::offset(id).unwrap_or_default() / ROOM]
    }

    /// The body around a place.
    pub fn around(&self, at: usize) -> Option<&Body> {
        let body = &self.all[self.all.partition_point(|body| body.start() <= at).checked_sub(1)?];
        (at < body.outline.span.end as usize).then_some(body)
    }

    pub(super) fn expr(&self, id: ExprId) -> &Expr {
        &self.expressions(self.of(id))[id.index() % ROOM]
    }

    /// All of a body's expressions, with their ids.
    pub fn expressions_of<'b>(&'b self, body: &'b Body) -> impl Iterator<Item = (ExprId, &'b Expr)> {
        let first = body.root.index();
        self.expressions(body).iter().enumerate().map(move |(at, expr)| (ExprId::new(first + at), expr))
    }

    /// What the parser says against bodies that were asked for.
    pub fn errors(&self) -> impl Iterator<Item = &(Span, String)> {
        self.all.iter().filter_map(|body| body.parsed.get()?.error.as_ref())
    }

    fn expressions<'b>(&'b self, body: &'b Body) -> &'b [Expr] {
        let parse = || {
            let span = body.outline.span;
            let (expressions, error) = lower::body(&body.source, span, body.root, body.function);
            assert!(expressions.len() <= ROOM, "more expressions than there is room for");
            Parsed { expressions, error }
        };
        &body.parsed.get_or_init(parse).expressions
    }
}

impl Body {
    /// The body that comes after `before` others.
    pub(super) fn new(before: usize, function: FunctionId, outline: Outline, text: &str) -> Self {
        let source = text[outline.span.range()].into();
        Self { function, root: ExprId::new(FIRST + before * ROOM), outline, source, parsed: OnceLock::new() }
    }

    /// From brace to brace.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// String literals, as they stand between their quotes.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let range = |span: &Span| span.start as usize - self.start()..span.end as usize - self.start();
        self.outline.texts.iter().map(move |span| &self.source[range(span)])
    }

    fn start(&self) -> usize {
        self.outline.span.start as usize
    }
}

//! Bodies of functions, each parsed when it is first asked for.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::facts::{Expr, ExprId, FunctionId};
use super::lower;
use super::outline::Outline;
use crate::workspace::Span;

/// Ids from here on are of expressions in bodies: this, [`ROOM`] for each byte before the body, and the place in it. So an id is
/// told before anything is parsed, and says which body to parse.
const FIRST: usize = 1 << 31;
/// A body has fewer expressions than that for each of its bytes.
const ROOM: usize = 4;

/// The bodies of a file that could wait, in source order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bodies {
    /// The whole file; empty where no body waits.
    text: Box<str>,
    all: Vec<Body>,
}

/// One body, at first by its tokens only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Body {
    pub function: FunctionId,
    pub outline: Outline,
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
    pub(super) fn new(text: &str, mut all: Vec<Body>) -> Self {
        all.sort_by_key(|body| body.outline.span.start);
        Self { text: if all.is_empty() { "" } else { text }.into(), all }
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
        let offset = Self::offset(id).unwrap_or_default();
        &self.all[self.all.partition_point(|body| body.start() * ROOM <= offset) - 1]
    }

    /// The body around a place.
    pub fn around(&self, at: usize) -> Option<&Body> {
        let body = &self.all[self.all.partition_point(|body| body.start() <= at).checked_sub(1)?];
        (at < body.outline.span.end as usize).then_some(body)
    }

    pub(super) fn expr(&self, id: ExprId) -> &Expr {
        let body = self.of(id);
        &self.expressions(body)[id.index() - body.root().index()]
    }

    /// All of a body's expressions, with their ids.
    pub fn expressions_of<'b>(&'b self, body: &'b Body) -> impl Iterator<Item = (ExprId, &'b Expr)> {
        let first = body.root().index();
        self.expressions(body).iter().enumerate().map(move |(at, expr)| (ExprId::new(first + at), expr))
    }

    /// The source at a place, such as a string literal of an outline.
    pub fn text(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    /// What the parser says against bodies that were asked for.
    pub fn errors(&self) -> impl Iterator<Item = &(Span, String)> {
        self.all.iter().filter_map(|body| body.parsed.get()?.error.as_ref())
    }

    fn expressions<'b>(&'b self, body: &'b Body) -> &'b [Expr] {
        let parse = || {
            let span = body.outline.span;
            let (expressions, error) = lower::body(&self.text[span.range()], span, body.root(), body.function);
            assert!(expressions.len() <= span.range().len() * ROOM, "more expressions than there is room for");
            Parsed { expressions, error }
        };
        &body.parsed.get_or_init(parse).expressions
    }
}

impl Body {
    pub(super) fn new(function: FunctionId, outline: Outline) -> Self {
        Self { function, outline, parsed: OnceLock::new() }
    }

    /// The block itself.
    pub fn root(&self) -> ExprId {
        ExprId::new(FIRST + self.start() * ROOM)
    }

    fn start(&self) -> usize {
        self.outline.span.start as usize
    }
}

//! Expressions and statements of a syntax tree to facts.

use super::facts::*;
use super::lower::{Lowering, is_test, join, name, segments};
use super::lower_type::{bound_names, type_arguments, type_of};
use crate::workspace::Span;

impl Lowering<'_> {
    /// Lowers an expression below the current parent.
    pub fn expr(&mut self, expr: &syn::Expr) -> ExprId {
        match expr {
            syn::Expr::Paren(inner) => return self.expr(&inner.expr),
            syn::Expr::Group(inner) => return self.expr(&inner.expr),
            syn::Expr::Macro(inner) => return self.macro_call(&inner.mac),
            _ => {}
        }
        self.node(|this| this.kind(expr))
    }

    /// Adds a node whose children `fill` lowers.
    pub fn node(&mut self, fill: impl FnOnce(&mut Self) -> (ExprKind, Span)) -> ExprId {
        let id = ExprId::new(self.first + self.out.expressions.len());
        let placeholder = ExprKind::Other(Box::default());
        self.out.expressions.push(Expr {
            kind: placeholder,
            span: Span::default(),
            parent: self.parent,
            function: self.function,
        });
        let outer = self.parent.replace(id);
        let (kind, span) = fill(self);
        self.parent = outer;
        let expr = &mut self.out.expressions[id.index() - self.first];
        (expr.kind, expr.span) = (kind, span);
        id
    }

    pub fn at(&self, id: ExprId) -> Span {
        self.out.expressions[id.index() - self.first].span
    }

    fn exprs<'a>(&mut self, exprs: impl IntoIterator<Item = &'a syn::Expr>) -> Box<[ExprId]> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn optional(&mut self, expr: Option<&syn::Expr>) -> Option<ExprId> {
        expr.map(|expr| self.expr(expr))
    }

    fn kind(&mut self, expr: &syn::Expr) -> (ExprKind, Span) {
        match expr {
            syn::Expr::Path(e) => {
                let at = self.path_span(&e.path);
                let mut path = segments(&e.path);
                // `<reqwest::Client>::new` reads as `reqwest::Client::new`; `<T as Trait>::f` as `Trait::f`.
                if let Some(qself) = e.qself.as_ref().filter(|qself| qself.position == 0) {
                    path = type_of(&qself.ty).path.iter().chain(&*path).cloned().collect();
                }
                (ExprKind::Path(path), at)
            }
            syn::Expr::Lit(e) => (ExprKind::Literal(literal(&e.lit)), self.span(e.lit.span())),
            syn::Expr::Call(e) => {
                let callee = self.expr(&e.func);
                let arguments = self.exprs(&e.args);
                let at = join(self.at(callee), self.span(e.paren_token.span.close()));
                (ExprKind::Call { callee, arguments }, at)
            }
            syn::Expr::MethodCall(e) => {
                let receiver = self.expr(&e.receiver);
                let arguments = self.exprs(&e.args);
                let turbofish = e.turbofish.as_ref().map(|written| Box::new(Turbofish(type_arguments(written))));
                let at = join(self.at(receiver), self.span(e.paren_token.span.close()));
                (
                    ExprKind::Method {
                        receiver,
                        name: name(&e.method),
                        name_span: self.span(e.method.span()),
                        arguments,
                        turbofish,
                    },
                    at,
                )
            }
            syn::Expr::Field(e) => {
                let base = self.expr(&e.base);
                let (member, end) = match &e.member {
                    syn::Member::Named(ident) => (name(ident), self.span(ident.span())),
                    syn::Member::Unnamed(index) => (index.index.to_string().into(), self.span(index.span)),
                };
                (ExprKind::Field { base, name: member }, join(self.at(base), end))
            }
            syn::Expr::Index(e) => {
                let base = self.expr(&e.expr);
                let index = self.expr(&e.index);
                (ExprKind::Index { base, index }, join(self.at(base), self.span(e.bracket_token.span.close())))
            }
            syn::Expr::Await(e) => {
                let base = self.expr(&e.base);
                (ExprKind::Await(base), join(self.at(base), self.span(e.await_token.span)))
            }
            syn::Expr::Try(e) => {
                let base = self.expr(&e.expr);
                (ExprKind::Try(base), join(self.at(base), self.span(e.question_token.span)))
            }
            syn::Expr::Reference(e) => {
                let base = self.expr(&e.expr);
                (ExprKind::Reference(base), join(self.span(e.and_token.span), self.at(base)))
            }
            syn::Expr::RawAddr(e) => {
                let base = self.expr(&e.expr);
                (ExprKind::Reference(base), join(self.span(e.and_token.span), self.at(base)))
            }
            syn::Expr::Assign(e) => self.pair(&e.left, &e.right, |left, right| ExprKind::Assign { left, right }),
            syn::Expr::Binary(e) => self.pair(&e.left, &e.right, |left, right| ExprKind::Binary { left, right }),
            syn::Expr::Closure(e) => {
                let parameters = e.inputs.iter().map(closure_parameter).collect();
                let body = self.expr(&e.body);
                let at = join(self.span(e.inputs_begin.span), self.at(body));
                (ExprKind::Closure { parameters, body, is_async: e.asyncness.is_some() }, at)
            }
            syn::Expr::Async(e) => {
                let body = self.block(&e.block);
                (ExprKind::Async(body), join(self.span(e.async_token.span), self.at(body)))
            }
            syn::Expr::Block(e) => self.block_kind(&e.block),
            syn::Expr::Unsafe(e) => self.block_kind(&e.block),
            syn::Expr::Const(e) => self.block_kind(&e.block),
            syn::Expr::TryBlock(e) => self.block_kind(&e.block),
            syn::Expr::Let(e) => {
                let value = self.expr(&e.expr);
                let at = join(self.span(e.let_token.span), self.at(value));
                (ExprKind::Let { names: bound_names(&e.pat).into(), ty: None, value: Some(value), otherwise: None }, at)
            }
            syn::Expr::If(e) => {
                let condition = self.expr(&e.cond);
                let then = self.block(&e.then_branch);
                let otherwise = self.optional(e.else_branch.as_ref().map(|(_, branch)| &**branch));
                let at = join(self.span(e.if_token.span), self.at(otherwise.unwrap_or(then)));
                (ExprKind::If { condition, then, otherwise }, at)
            }
            syn::Expr::Match(e) => {
                let on = self.expr(&e.expr);
                let arms = e.arms.iter().filter(|arm| !is_test(&arm.attrs));
                let arms = arms.map(|arm| self.arm(&arm.pat, &arm.body)).collect();
                (ExprKind::Match { on, arms }, join(self.span(e.match_token.span), self.span(e.brace_token.span.close())))
            }
            syn::Expr::Loop(e) => {
                let body = self.block(&e.body);
                (ExprKind::Loop(body), join(self.span(e.loop_token.span), self.at(body)))
            }
            syn::Expr::While(e) => {
                let condition = self.expr(&e.cond);
                let body = self.block(&e.body);
                (ExprKind::While { condition, body }, join(self.span(e.while_token.span), self.at(body)))
            }
            syn::Expr::ForLoop(e) => {
                let over = self.expr(&e.expr);
                let body = self.block(&e.body);
                let names = bound_names(&e.pat).into();
                (ExprKind::For { names, over, body }, join(self.span(e.for_token.span), self.at(body)))
            }
            syn::Expr::Struct(e) => {
                let fields = e.fields.iter().filter(|field| !is_test(&field.attrs));
                let fields = fields.map(|field| (member_name(&field.member), self.expr(&field.expr))).collect();
                let rest = self.optional(e.rest.as_deref());
                let start = e.path.segments.first().map_or_else(Span::default, |segment| self.span(segment.ident.span()));
                (ExprKind::Struct { path: segments(&e.path), fields, rest }, join(start, self.span(e.brace_token.span.close())))
            }
            syn::Expr::Return(e) => {
                let value = self.optional(e.expr.as_deref());
                let start = self.span(e.return_token.span);
                (ExprKind::Return(value), value.map_or(start, |value| join(start, self.at(value))))
            }
            _ => self.other(expr),
        }
    }

    /// Expressions of which only the parts matter.
    fn other(&mut self, expr: &syn::Expr) -> (ExprKind, Span) {
        let (parts, at): (Box<[ExprId]>, Span) = match expr {
            syn::Expr::Array(e) => (self.exprs(&e.elems), self.enclosed(&e.bracket_token.span)),
            syn::Expr::Repeat(e) => (self.exprs([&*e.expr, &*e.len]), self.enclosed(&e.bracket_token.span)),
            syn::Expr::Tuple(e) => (self.exprs(&e.elems), self.enclosed(&e.paren_token.span)),
            syn::Expr::Unary(e) => (self.exprs([&*e.expr]), Span::default()),
            syn::Expr::Cast(e) => (self.exprs([&*e.expr]), Span::default()),
            syn::Expr::Range(e) => (self.exprs(e.start.as_deref().into_iter().chain(e.end.as_deref())), Span::default()),
            syn::Expr::Break(e) => (self.exprs(e.expr.as_deref()), self.span(e.break_token.span)),
            syn::Expr::Yield(e) => (self.exprs(e.expr.as_deref()), self.span(e.yield_token.span)),
            syn::Expr::Continue(e) => (Box::default(), self.span(e.continue_token.span)),
            _ => (Box::default(), Span::default()),
        };
        let from_parts = || Some(join(self.at(*parts.first()?), self.at(*parts.last()?)));
        let at = if at == Span::default() { from_parts().unwrap_or_default() } else { at };
        (ExprKind::Other(parts), at)
    }

    /// From the first name to the last.
    fn path_span(&self, path: &syn::Path) -> Span {
        let mut names = path.segments.iter().map(|segment| segment.ident.span());
        // Where a token stands is dear to ask.
        match (names.next(), names.next_back()) {
            (Some(first), Some(last)) => join(self.span(first), self.span(last)),
            (Some(only), None) => self.span(only),
            _ => Span::default(),
        }
    }

    fn enclosed(&self, delimiters: &proc_macro2::extra::DelimSpan) -> Span {
        join(self.span(delimiters.open()), self.span(delimiters.close()))
    }

    fn pair(&mut self, left: &syn::Expr, right: &syn::Expr, kind: fn(ExprId, ExprId) -> ExprKind) -> (ExprKind, Span) {
        let (left, right) = (self.expr(left), self.expr(right));
        (kind(left, right), join(self.at(left), self.at(right)))
    }

    /// One arm of a `match` or a `select!`.
    pub fn arm(&mut self, pattern: &syn::Pat, body: &syn::Expr) -> ExprId {
        self.node(|this| {
            let guard = match pattern {
                syn::Pat::Guard(pattern) => Some(this.expr(&pattern.guard)),
                _ => literal_of(pattern).map(|literal| this.expr(&syn::Expr::Lit(literal.clone()))),
            };
            let body = this.expr(body);
            let (names, variant) = (bound_names(pattern).into(), variant_of(pattern));
            (ExprKind::Arm { names, variant, guard, body }, this.at(body))
        })
    }

    pub fn block(&mut self, block: &syn::Block) -> ExprId {
        self.node(|this| this.block_kind(block))
    }

    fn block_kind(&mut self, block: &syn::Block) -> (ExprKind, Span) {
        let statements = self.statements(&block.stmts);
        (ExprKind::Block(statements), join(self.span(block.brace_token.span.open()), self.span(block.brace_token.span.close())))
    }

    pub fn statements(&mut self, statements: &[syn::Stmt]) -> Box<[ExprId]> {
        let mut lowered = Vec::with_capacity(statements.len());
        for statement in statements.iter().filter(|statement| !is_test(attributes_of(statement))) {
            match statement {
                syn::Stmt::Local(local) => match self.taken_apart(local) {
                    Some(parts) => lowered.extend(parts),
                    None => lowered.push(self.local(local)),
                },
                syn::Stmt::Item(item) => self.item(item),
                syn::Stmt::Expr(expr, _) => lowered.push(self.expr(expr)),
                syn::Stmt::Macro(statement) => lowered.push(self.macro_call(&statement.mac)),
            }
        }
        lowered.into()
    }

    /// `let Self { http, base } = self;` as `let http = self.http; let base = self.base;`: each name has a value of its own.
    fn taken_apart(&mut self, local: &syn::Local) -> Option<Vec<ExprId>> {
        let init = local.init.as_ref().filter(|init| init.diverge.is_none() && is_place(&init.expr))?;
        let syn::Pat::Struct(pattern) = &local.pat else { return None };
        let parts = pattern.fields.iter().map(|field| match &*field.pat {
            syn::Pat::Ident(bound) if bound.subpat.is_none() => Some((member_name(&field.member), &bound.ident)),
            _ => None,
        });
        let parts: Vec<_> = parts.collect::<Option<_>>()?;
        let mut lower = |(field, bound): (Name, &syn::Ident)| {
            self.node(|this| {
                let at = this.span(bound.span());
                let value = this.node(|this| (ExprKind::Field { base: this.expr(&init.expr), name: field }, at));
                (ExprKind::Let { names: [name(bound)].into(), ty: None, value: Some(value), otherwise: None }, at)
            })
        };
        (!parts.is_empty()).then(|| parts.into_iter().map(&mut lower).collect())
    }

    fn local(&mut self, local: &syn::Local) -> ExprId {
        self.node(|this| {
            let (pattern, ty) = match &local.pat {
                syn::Pat::Type(typed) => (&*typed.pat, Some(Box::new(type_of(&typed.ty)))),
                pattern => (pattern, None),
            };
            let value = this.optional(local.init.as_ref().map(|init| &*init.expr));
            let otherwise = local.init.as_ref().and_then(|init| init.diverge.as_ref()).map(|(_, otherwise)| this.expr(otherwise));
            let kind = ExprKind::Let { names: bound_names(pattern).into(), ty, value, otherwise };
            (kind, join(this.span(local.let_token.span), this.span(local.semi_token.span)))
        })
    }
}

/// A name, a field of one, or a reference to either: naming it twice does nothing twice.
fn is_place(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Path(_) => true,
        syn::Expr::Field(field) => is_place(&field.base),
        syn::Expr::Reference(reference) => is_place(&reference.expr),
        _ => false,
    }
}

/// The text that a pattern asks for; the first, where it asks for one of several.
fn literal_of(pattern: &syn::Pat) -> Option<&syn::ExprLit> {
    match pattern {
        syn::Pat::Lit(literal) if matches!(literal.lit, syn::Lit::Str(_)) => Some(literal),
        syn::Pat::Or(pattern) => literal_of(pattern.cases.first()?),
        syn::Pat::Paren(pattern) => literal_of(&pattern.pat),
        // `(&Method::GET, "/orders") => …`
        syn::Pat::Tuple(tuple) => tuple.elems.iter().find_map(literal_of),
        syn::Pat::TupleStruct(tuple) if tuple.elems.len() == 1 => literal_of(tuple.elems.first()?),
        _ => None,
    }
}

/// Attributes of a statement, of the kinds that people put a `cfg` on.
fn attributes_of(statement: &syn::Stmt) -> &[syn::Attribute] {
    match statement {
        syn::Stmt::Local(local) => &local.attrs,
        syn::Stmt::Macro(statement) => &statement.attrs,
        syn::Stmt::Expr(syn::Expr::Block(expr), _) => &expr.attrs,
        syn::Stmt::Expr(syn::Expr::If(expr), _) => &expr.attrs,
        syn::Stmt::Expr(syn::Expr::Call(expr), _) => &expr.attrs,
        syn::Stmt::Expr(syn::Expr::MethodCall(expr), _) => &expr.attrs,
        syn::Stmt::Expr(..) | syn::Stmt::Item(_) => &[],
    }
}

/// The path of a pattern that takes a variant apart into plain names, also inside `Some(…)` and `Ok(…)`; empty for others.
fn variant_of(pattern: &syn::Pat) -> Segments {
    match pattern {
        syn::Pat::TupleStruct(tuple) => match (tuple.path.segments.last(), tuple.elems.first()) {
            (Some(last), Some(inner)) if (last.ident == "Some" || last.ident == "Ok") && !matches!(inner, syn::Pat::Ident(_)) => {
                variant_of(inner)
            }
            _ if tuple.elems.iter().all(|part| matches!(part, syn::Pat::Ident(_))) => segments(&tuple.path),
            _ => Segments::default(),
        },
        // `{ options }`, not `{ options: renamed }`: then the field has another name.
        syn::Pat::Struct(pattern) if pattern.fields.iter().all(|field| field.colon_token.is_none()) => segments(&pattern.path),
        syn::Pat::Path(pattern) => segments(&pattern.path),
        // A capitalised name is a variant that was imported, or a constant.
        syn::Pat::Ident(pattern) if pattern.ident.to_string().starts_with(char::is_uppercase) => [name(&pattern.ident)].into(),
        syn::Pat::Guard(pattern) => variant_of(&pattern.pat),
        syn::Pat::Paren(pattern) => variant_of(&pattern.pat),
        syn::Pat::Reference(pattern) => variant_of(&pattern.pat),
        _ => Segments::default(),
    }
}

fn closure_parameter(pattern: &syn::Pat) -> Parameter {
    match pattern {
        syn::Pat::Type(typed) => Parameter { name: bound_names(&typed.pat).pop(), ty: type_of(&typed.ty) },
        pattern => Parameter { name: bound_names(pattern).pop(), ty: Type::default() },
    }
}

fn member_name(member: &syn::Member) -> Name {
    match member {
        syn::Member::Named(ident) => name(ident),
        syn::Member::Unnamed(index) => index.index.to_string().into(),
    }
}

fn literal(literal: &syn::Lit) -> Literal {
    match literal {
        syn::Lit::Str(text) => Literal::Str(text.value().into()),
        syn::Lit::Int(number) => Literal::Int(number.base10_parse().ok()),
        syn::Lit::Bool(value) => Literal::Bool(value.value),
        _ => Literal::Other,
    }
}

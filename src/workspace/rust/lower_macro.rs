//! What stands inside a macro call: most macros of backend code take expressions, statements or `select!` arms.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr as SynExpr, Pat, Token};

use super::facts::*;
use super::lower::{Lowering, join, segments};

/// Macros of tracing, whose arguments have signs in front of them, and of log.
pub const LOG_MACROS: &[&str] = &[
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

impl Lowering {
    pub fn macro_call(&mut self, call: &syn::Macro) -> ExprId {
        self.node(|this| {
            let path = segments(&call.path);
            let arguments = if path.last().is_some_and(|name| &**name == "select") {
                this.select_arms(&call.tokens).unwrap_or_else(|| this.token_arguments(&call.tokens))
            } else if path.last().is_some_and(|name| LOG_MACROS.contains(&&**name)) {
                this.log_arguments(&call.tokens)
            } else if path.last().is_some_and(|name| &**name == "table") {
                let table = this.diesel_table(&call.tokens);
                if table.is_empty() { this.token_arguments(&call.tokens) } else { table }
            } else {
                this.token_arguments(&call.tokens)
            };
            let start = call.path.segments.first().map_or_else(Default::default, |segment| this.span(segment.ident.span()));
            let end = match &call.delimiter {
                syn::MacroDelimiter::Paren(token) => this.span(token.span.close()),
                syn::MacroDelimiter::Brace(token) => this.span(token.span.close()),
                syn::MacroDelimiter::Bracket(token) => this.span(token.span.close()),
            };
            (ExprKind::Macro { path, arguments: arguments.into() }, join(start, end))
        })
    }

    /// Tokens as expressions if they are a list of them, else as statements, else just the literals among them.
    pub fn token_arguments(&mut self, tokens: &TokenStream) -> Vec<ExprId> {
        if tokens.is_empty() {
            return Vec::new();
        }
        let list = Punctuated::<SynExpr, Token![,]>::parse_terminated;
        if let Ok(arguments) = list.parse2(tokens.clone()) {
            return arguments.iter().map(|argument| self.expr(argument)).collect();
        }
        if let Ok(statements) = syn::Block::parse_within.parse2(tokens.clone()) {
            return self.statements(&statements).into();
        }
        let mut found = Vec::new();
        self.literals(tokens, &mut found);
        found
    }

    /// Arguments of tracing's macros, each by itself: `?error` reads as `&error`, `user = %name` as an assignment, and what
    /// stands behind `target:` or `parent:` as it is.
    pub fn log_arguments(&mut self, tokens: &TokenStream) -> Vec<ExprId> {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let is = |token: &TokenTree, sign| matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign);
        let mut found = Vec::new();
        for part in tokens.split(|token| is(token, ',')) {
            let alone = |at: usize| matches!(part.get(at), Some(TokenTree::Punct(punct)) if punct.spacing() == Spacing::Alone);
            let part = match part {
                [TokenTree::Ident(_), colon, rest @ ..] if is(colon, ':') && alone(1) => rest,
                part => part,
            };
            let named = part.iter().position(|token| !matches!(token, TokenTree::Ident(_)) && !is(token, '.'));
            match named.filter(|&at| at > 0 && is(&part[at], '=') && !part.get(at + 1).is_some_and(|next| is(next, '='))) {
                Some(at) => found.extend(self.log_field(&part[..at], &part[at + 1..])),
                None => self.log_value(part, &mut found),
            }
        }
        found
    }

    fn log_field(&mut self, name: &[TokenTree], value: &[TokenTree]) -> Option<ExprId> {
        let left: SynExpr = syn::parse2(name.iter().cloned().collect()).ok()?;
        let [first, .., last] = [name.first()?, name.last()?, value.last()?];
        let whole = join(self.span(first.span()), self.span(last.span()));
        Some(self.node(|this| {
            let left = this.expr(&left);
            let mut right = Vec::new();
            this.log_value(value, &mut right);
            match right[..] {
                [right] => (ExprKind::Assign { left, right }, whole),
                _ => (ExprKind::Other(std::iter::once(left).chain(right).collect()), whole),
            }
        }))
    }

    fn log_value(&mut self, part: &[TokenTree], found: &mut Vec<ExprId>) {
        let (sign, rest) = match part {
            [TokenTree::Punct(sign), rest @ ..] if matches!(sign.as_char(), '?' | '%') => (Some(sign), rest),
            _ => (None, part),
        };
        let tokens: TokenStream = rest.iter().cloned().collect();
        let Ok(value) = syn::parse2::<SynExpr>(tokens.clone()) else { return self.literals(&tokens, found) };
        let id = match (sign.filter(|sign| sign.as_char() == '?'), rest.last()) {
            (Some(sign), Some(last)) => {
                let whole = join(self.span(sign.span()), self.span(last.span()));
                self.node(|this| (ExprKind::Reference(this.expr(&value)), whole))
            }
            _ => self.expr(&value),
        };
        found.push(id);
    }

    /// Arms of `tokio::select!` and `futures::select!`: `pattern = future, if guard => handler`.
    fn select_arms(&mut self, tokens: &TokenStream) -> Option<Vec<ExprId>> {
        let arms = select.parse2(tokens.clone()).ok()?;
        let mut lowered = Vec::new();
        for (pattern, future, handler) in &arms {
            lowered.extend(future.as_ref().map(|future| self.expr(future)));
            lowered.push(self.arm(pattern, handler));
        }
        Some(lowered)
    }

    /// The name that `diesel::table! { schema.name (id) { … } }` declares, as a path.
    fn diesel_table(&mut self, tokens: &TokenStream) -> Vec<ExprId> {
        let mut name: Vec<proc_macro2::Ident> = Vec::new();
        let mut joined = false;
        for token in tokens.clone() {
            match token {
                TokenTree::Ident(ident) => {
                    if !joined {
                        name.clear();
                    }
                    name.push(ident);
                    joined = false;
                }
                TokenTree::Punct(dot) => joined = dot.as_char() == '.',
                TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Parenthesis => break,
                _ => name.clear(),
            }
        }
        let (Some(first), Some(last)) = (name.first(), name.last()) else { return Vec::new() };
        let place = join(self.span(first.span()), self.span(last.span()));
        let path = name.iter().map(|ident| Name::from(ident.to_string().as_str())).collect();
        vec![self.node(|_| (ExprKind::Path(path), place))]
    }

    fn literals(&mut self, tokens: &TokenStream, found: &mut Vec<ExprId>) {
        for token in tokens.clone() {
            match token {
                TokenTree::Group(group) => self.literals(&group.stream(), found),
                TokenTree::Literal(literal) => {
                    let expr = SynExpr::Lit(syn::ExprLit { attrs: Vec::new(), lit: syn::Lit::new(literal) });
                    found.push(self.expr(&expr));
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

type SelectArm = (Pat, Option<SynExpr>, SynExpr);

fn select(input: ParseStream) -> syn::Result<Vec<SelectArm>> {
    let mut arms = Vec::new();
    // `biased;`
    if input.peek(syn::Ident) && input.peek2(Token![;]) {
        input.parse::<syn::Ident>()?;
        input.parse::<Token![;]>()?;
    }
    while !input.is_empty() {
        let (pattern, future) = if input.peek(Token![else]) || input.peek(syn::Ident) && input.peek2(Token![=>]) {
            // `else => …`, `complete => …`, `default => …`
            input.call(<syn::Ident as syn::ext::IdentExt>::parse_any)?;
            (Pat::Verbatim(TokenStream::new()), None)
        } else {
            let pattern = Pat::parse_multi(input)?;
            input.parse::<Token![=]>()?;
            (pattern, Some(input.parse::<SynExpr>()?))
        };
        if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            input.parse::<SynExpr>()?;
        }
        input.parse::<Token![=>]>()?;
        let handler = if input.peek(syn::token::Brace) {
            SynExpr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block: input.parse()? })
        } else {
            input.parse()?
        };
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        arms.push((pattern, future, handler));
    }
    Ok(arms)
}

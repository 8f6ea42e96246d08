//! What stands inside a macro call: most macros of backend code take expressions, statements or `select!` arms.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr as SynExpr, Pat, Token};

use super::facts::*;
use super::lower::{Lowering, join, segments, span};

impl Lowering {
    pub fn macro_call(&mut self, call: &syn::Macro) -> ExprId {
        self.node(|this| {
            let path = segments(&call.path);
            let arguments = if path.last().is_some_and(|name| &**name == "select") {
                this.select_arms(&call.tokens).unwrap_or_else(|| this.token_arguments(&call.tokens))
            } else if path.last().is_some_and(|name| &**name == "table") {
                let table = this.diesel_table(&call.tokens);
                if table.is_empty() { this.token_arguments(&call.tokens) } else { table }
            } else {
                this.token_arguments(&call.tokens)
            };
            let start = call.path.segments.first().map_or_else(Default::default, |segment| span(segment.ident.span()));
            let end = match &call.delimiter {
                syn::MacroDelimiter::Paren(token) => span(token.span.close()),
                syn::MacroDelimiter::Brace(token) => span(token.span.close()),
                syn::MacroDelimiter::Bracket(token) => span(token.span.close()),
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
        let place = join(span(first.span()), span(last.span()));
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

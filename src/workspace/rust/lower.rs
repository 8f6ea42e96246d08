//! Items of a syntax tree to facts.

use proc_macro2::extra::invalidate_current_thread_spans;
use proc_macro2::{LineColumn, Punct, Spacing, Span as TokenSpan, TokenStream, TokenTree};
use rustc_hash::FxHashMap as HashMap;
use syn::parse::{ParseStream, Parser};

use super::facts::*;
use super::lower_type::{parameter, type_of};
use super::tokens::Tokens;
use crate::workspace::{FileId, Span};

/// Lowers a whole file: `tree` is what was parsed, on this thread, of `text` without the bodies that wait.
///
/// `parsed` is the text without those bodies.
pub(super) fn lower(
    file: FileId,
    text: &str,
    parsed: &str,
    tokens: &Tokens,
    waiting: Vec<Outline>,
    tree: &syn::File,
) -> RustFile {
    let mut lowering = Lowering {
        out: RustFile { file, generated: is_generated(text), ..RustFile::default() },
        test: is_test(&tree.attrs),
        text,
        parsed,
        lines: lines(parsed),
        waiting: waiting.into_iter().map(|outline| (outline.span.start, outline)).collect(),
        ..Lowering::default()
    };
    lowering.out.modules.push(Module {
        name: "".into(),
        parent: None,
        declared: false,
        path_attribute: None,
        test: lowering.test,
        span: Span::new(0, text.len()),
    });
    lowering.items(&tree.items);
    let Lowering { mut out, bodies, .. } = lowering;
    out.bodies = Bodies::new(bodies);
    // All of it stays: what the lists grew by on their way is given back.
    out.uses.shrink_to_fit();
    out.functions.shrink_to_fit();
    out.types.shrink_to_fit();
    out.constants.shrink_to_fit();
    out.expressions.shrink_to_fit();
    out.comments = tokens.comments.iter().map(|&(start, end)| comment(text, start as usize, end as usize)).collect();
    out
}

/// Parses and lowers the body of one function, from brace to brace. What does not parse is an empty block.
pub(super) fn body(text: &str, at: Span, root: ExprId, function: FunctionId) -> (Box<[Expr]>, Option<(Span, String)>) {
    let mut lowering = Lowering {
        first: root.index(),
        offset: at.start as usize,
        function: Some(function),
        parsed: text,
        lines: lines(text),
        ..Lowering::default()
    };
    let parsed = block.parse_str(text);
    let error = match &parsed {
        Ok(block) => {
            lowering.block(block);
            None
        }
        Err(error) => {
            lowering.node(|_| (ExprKind::Block(Box::default()), at));
            Some((lowering.span(error.span()), error.to_string()))
        }
    };
    invalidate_current_thread_spans();
    (lowering.out.expressions.into(), error)
}

/// Where the lines of a text start, as the parser counts them.
fn lines(text: &str) -> Vec<u32> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect()
}

/// A block that may start with inner attributes, as a function's does.
fn block(input: ParseStream) -> syn::Result<syn::Block> {
    let content;
    let brace_token = syn::braced!(content in input);
    content.call(syn::Attribute::parse_inner)?;
    Ok(syn::Block { brace_token, stmts: content.call(syn::Block::parse_within)? })
}

/// State of one file's lowering; expressions are lowered in `lower_expr`, macros in `lower_macro`.
pub(super) struct Lowering<'t> {
    pub out: RustFile,
    pub module: ModuleId,
    pub function: Option<FunctionId>,
    /// Expression whose child comes next.
    pub parent: Option<ExprId>,
    pub test: bool,
    /// Index of the first expression's id.
    pub first: usize,
    /// Where the parsed text starts in its file.
    offset: usize,
    /// The parsed text.
    parsed: &'t str,
    /// Where the lines of the parsed text start.
    lines: Vec<u32>,
    /// The whole file.
    text: &'t str,
    /// Bodies that are not parsed yet, by where they start.
    waiting: HashMap<u32, Outline>,
    bodies: Vec<Body>,
}

impl Default for Lowering<'_> {
    fn default() -> Self {
        Self {
            out: RustFile::default(),
            module: ModuleId::root(),
            function: None,
            parent: None,
            test: false,
            first: 0,
            offset: 0,
            parsed: "",
            lines: Vec::new(),
            text: "",
            waiting: HashMap::default(),
            bodies: Vec::new(),
        }
    }
}

impl Lowering<'_> {
    pub fn items(&mut self, items: &[syn::Item]) {
        for item in items {
            self.item(item);
        }
    }

    pub fn item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Mod(item) => self.module(item),
            syn::Item::Use(item) => self.uses(&item.tree, &mut Vec::new(), is_public(&item.vis)),
            syn::Item::Fn(item) => {
                self.function(&item.attrs, is_public(&item.vis), &item.sig, Some(&item.block), None, None);
            }
            syn::Item::Impl(item) => self.implementation(item),
            syn::Item::Trait(item) => self.trait_item(item),
            syn::Item::Struct(item) => {
                let fields = item.fields.iter().enumerate().map(|(index, field)| self.field(index, field)).collect();
                self.type_item(&item.ident, TypeKind::Struct(fields), &item.attrs);
            }
            syn::Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| Variant {
                    name: name(&variant.ident),
                    types: variant.fields.iter().map(|field| type_of(&field.ty)).collect(),
                    fields: variant.fields.iter().filter_map(|field| field.ident.as_ref()).map(name).collect(),
                });
                let variants = variants.collect();
                self.type_item(&item.ident, TypeKind::Enum(variants), &item.attrs);
            }
            syn::Item::Type(item) => self.type_item(&item.ident, TypeKind::Alias(type_of(&item.ty)), &item.attrs),
            syn::Item::Const(item) => self.constant(&item.attrs, &item.ident, &item.ty, Some(&item.expr)),
            syn::Item::Static(item) => self.constant(&item.attrs, &item.ident, &item.ty, Some(&item.expr)),
            syn::Item::ExternCrate(item) => {
                if let Some((_, alias)) = &item.rename {
                    let path = [name(&item.ident)].into();
                    self.out.uses.push(Use { module: self.module, path, name: name(alias), public: is_public(&item.vis) });
                }
            }
            // With a name it is `macro_rules!`: its body is a template, not code.
            syn::Item::Macro(item) if item.ident.is_none() => {
                let id = self.macro_call(&item.mac);
                self.out.item_macros.push(id);
            }
            _ => {}
        }
    }

    fn module(&mut self, item: &syn::ItemMod) {
        let path_attribute = item.attrs.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
            let value = &attribute.meta.require_name_value().ok()?.value;
            match value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().into_boxed_str()),
                _ => None,
            }
        });
        let test = self.test || is_test(&item.attrs);
        let id = ModuleId::new(self.out.modules.len());
        self.out.modules.push(Module {
            name: name(&item.ident),
            parent: Some(self.module),
            declared: item.content.is_none(),
            path_attribute,
            test,
            span: self.span(item.ident.span()),
        });
        if let Some((_, items)) = &item.content
            && !test
        {
            let outer = std::mem::replace(&mut self.module, id);
            self.items(items);
            self.module = outer;
        }
    }

    fn uses(&mut self, tree: &syn::UseTree, prefix: &mut Vec<Name>, public: bool) {
        let mut push = |path: Vec<Name>, name: Name| {
            self.out.uses.push(Use { module: self.module, path: path.into(), name, public });
        };
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(name(&path.ident));
                self.uses(&path.tree, prefix, public);
                prefix.pop();
            }
            syn::UseTree::Name(item) if item.ident == "self" => {
                if let Some(last) = prefix.last().cloned() {
                    push(prefix.clone(), last);
                }
            }
            syn::UseTree::Name(item) => push(with(prefix, name(&item.ident)), name(&item.ident)),
            syn::UseTree::Rename(item) if item.ident == "self" => push(prefix.clone(), name(&item.rename)),
            syn::UseTree::Rename(item) => push(with(prefix, name(&item.ident)), name(&item.rename)),
            syn::UseTree::Glob(_) => push(prefix.clone(), "*".into()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.uses(tree, prefix, public);
                }
            }
        }
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        let owner = type_of(&item.self_ty).path;
        let of_trait = item.trait_.as_ref().map(|(path, _)| segments(path));
        let outer = self.test;
        self.test |= is_test(&item.attrs);
        for member in &item.items {
            match member {
                syn::ImplItem::Fn(function) => {
                    let public = is_public(&function.vis) || of_trait.is_some();
                    let (owner, of_trait) = (Some(owner), of_trait);
                    self.function(&function.attrs, public, &function.sig, Some(&function.block), owner, of_trait);
                }
                syn::ImplItem::Const(constant) => {
                    self.constant(&constant.attrs, &constant.ident, &constant.ty, Some(&constant.expr));
                }
                _ => {}
            }
        }
        self.test = outer;
    }

    fn trait_item(&mut self, item: &syn::ItemTrait) {
        self.type_item(&item.ident, TypeKind::Trait, &item.attrs);
        let owner: Segments = [name(&item.ident)].into();
        for member in &item.items {
            if let syn::TraitItem::Fn(function) = member {
                self.function(&function.attrs, true, &function.sig, function.default.as_ref(), Some(owner), None);
            }
        }
    }

    fn function(
        &mut self,
        attributes: &[syn::Attribute],
        public: bool,
        signature: &syn::Signature,
        body: Option<&syn::Block>,
        owner: Option<Segments>,
        of_trait: Option<Segments>,
    ) {
        let id = FunctionId::new(self.out.functions.len());
        let test = self.test || is_test(attributes);
        let parameters = signature.inputs.iter().map(|input| parameter(input, owner.as_ref())).collect();
        let start = self.span(signature.fn_token.span);
        let end = body.map_or(start, |body| self.span(body.brace_token.span.close()));
        self.out.functions.push(Function {
            name: name(&signature.ident),
            module: self.module,
            owner,
            of_trait,
            parameters,
            returns: match &signature.output {
                syn::ReturnType::Default => None,
                syn::ReturnType::Type(_, ty) => Some(type_of(ty)),
            },
            is_async: signature.asyncness.is_some(),
            public,
            test,
            attributes: Box::default(),
            body: None,
            name_span: self.span(signature.ident.span()),
            span: join(start, end),
        });
        let outer_test = std::mem::replace(&mut self.test, test);
        let outer_function = self.function.replace(id);
        let outer_parent = self.parent.take();
        // Tests are never asked about: their bodies would only take room.
        let (attributes, body) =
            if test { (Box::default(), None) } else { (self.attributes(attributes), body.map(|body| self.body_of(id, body))) };
        let function = &mut self.out.functions[id.index()];
        function.attributes = attributes;
        function.body = body;
        (self.test, self.function, self.parent) = (outer_test, outer_function, outer_parent);
    }

    /// The body of a function: lowered now, unless it can wait.
    fn body_of(&mut self, function: FunctionId, block: &syn::Block) -> ExprId {
        let start = self.span(block.brace_token.span.open()).start;
        match self.waiting.remove(&start) {
            Some(outline) => {
                let body = Body::new(self.bodies.len(), function, outline, self.text);
                let root = body.root;
                self.bodies.push(body);
                root
            }
            None => self.block(block),
        }
    }

    fn field(&mut self, index: usize, field: &syn::Field) -> Field {
        let name = field.ident.as_ref().map_or_else(|| index.to_string().into(), name);
        let span = field.ident.as_ref().map_or_else(Span::default, |ident| self.span(ident.span()));
        Field { name, ty: type_of(&field.ty), attributes: self.attributes(&field.attrs), span }
    }

    fn type_item(&mut self, ident: &syn::Ident, kind: TypeKind, attributes: &[syn::Attribute]) {
        let test = self.test || is_test(attributes);
        let attributes = self.attributes(attributes);
        self.out.types.push(TypeItem {
            name: name(ident),
            module: self.module,
            kind,
            attributes,
            test,
            span: self.span(ident.span()),
        });
    }

    fn constant(&mut self, attributes: &[syn::Attribute], ident: &syn::Ident, ty: &syn::Type, value: Option<&syn::Expr>) {
        let test = self.test || is_test(attributes);
        let outer = self.parent.take();
        // Like the bodies of tests, which nobody asks about.
        let value = value.filter(|_| !test).map(|value| self.expr(value));
        self.parent = outer;
        self.out.constants.push(Constant {
            name: name(ident),
            module: self.module,
            ty: type_of(ty),
            value,
            test,
            span: self.span(ident.span()),
        });
    }

    /// Where tokens stand in the file.
    ///
    /// By line and column: `Span::byte_range` counts its way through the text, and remembers each place it was asked for.
    pub fn span(&self, token: TokenSpan) -> Span {
        Span::new(self.offset + self.byte(token.start()), self.offset + self.byte(token.end()))
    }

    fn byte(&self, at: LineColumn) -> usize {
        let start = self.lines.get(at.line - 1).map_or(self.parsed.len(), |start| *start as usize);
        match self.parsed.as_bytes().get(start..start + at.column) {
            Some(before) if before.is_ascii() => start + at.column,
            _ => start + self.parsed[start..].chars().take(at.column).map(char::len_utf8).sum::<usize>(),
        }
    }

    /// All attributes but doc comments, which say nothing that a rule could use.
    fn attributes(&mut self, attributes: &[syn::Attribute]) -> Box<[Attribute]> {
        let outer = self.parent.take();
        let kept = attributes.iter().filter(|attribute| !attribute.path().is_ident("doc"));
        let lowered = kept
            .map(|attribute| {
                let arguments = match &attribute.meta {
                    syn::Meta::Path(_) => Vec::new(),
                    syn::Meta::List(list) if list.path.segments.last().is_some_and(|last| last.ident == "instrument") => {
                        self.log_arguments(&separated(&list.tokens))
                    }
                    syn::Meta::List(list) => self.token_arguments(&list.tokens),
                    syn::Meta::NameValue(pair) => vec![self.expr(&pair.value)],
                };
                let start = self.span(attribute.pound_token.span);
                let end = self.span(attribute.bracket_token.span.close());
                Attribute { path: segments(attribute.path()), arguments: arguments.into(), span: join(start, end) }
            })
            .collect();
        self.parent = outer;
        lowered
    }
}

pub(super) fn name(ident: &syn::Ident) -> Name {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).into()
}

pub(super) fn segments(path: &syn::Path) -> Segments {
    path.segments.iter().map(|segment| name(&segment.ident)).collect()
}

pub(super) fn join(from: Span, to: Span) -> Span {
    Span { start: from.start, end: to.end.max(from.end) }
}

/// With the commas that `#[instrument(skip_all fields(…))]` may leave out.
fn separated(tokens: &TokenStream) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    for token in tokens.clone() {
        if matches!(token, TokenTree::Ident(_)) && out.last().is_some_and(|last| !matches!(last, TokenTree::Punct(_))) {
            out.push(TokenTree::Punct(Punct::new(',', Spacing::Alone)));
        }
        out.push(token);
    }
    out.into_iter().collect()
}

fn with(prefix: &[Name], last: Name) -> Vec<Name> {
    let mut path = prefix.to_vec();
    path.push(last);
    path
}

fn is_public(visibility: &syn::Visibility) -> bool {
    !matches!(visibility, syn::Visibility::Inherited)
}

/// `#[test]` and its kin (`tokio::test`, `sqlx::test`, `rstest`), or a `cfg` that only holds under test.
pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute.parse_args::<syn::Meta>().is_ok_and(|condition| implies_test(&condition));
        }
        path.segments.last().is_some_and(|last| {
            matches!(last.ident.to_string().as_str(), "test" | "rstest" | "test_case" | "bench" | "quickcheck")
        })
    })
}

/// Whether a `cfg` condition can hold in test builds only. `any(test, feature = "x")` can hold without.
fn implies_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(feature), .. }) => is_for_tests(&feature.value()),
            _ => false,
        },
        syn::Meta::List(list) if list.path.is_ident("all") || list.path.is_ident("any") => {
            let parser = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
            let Ok(parts) = list.parse_args_with(parser) else { return false };
            if list.path.is_ident("all") {
                parts.iter().any(implies_test)
            } else {
                !parts.is_empty() && parts.iter().all(implies_test)
            }
        }
        _ => false,
    }
}

/// Features that people switch on to test or to develop: `test-util`, `dev_mode`.
fn is_for_tests(feature: &str) -> bool {
    feature
        .split(['-', '_'])
        .any(|word| matches!(word, "test" | "tests" | "testing" | "dev" | "debug" | "mock" | "mocks" | "fuzzing"))
}

/// Whether the head of the file says that a tool wrote it.
fn is_generated(text: &str) -> bool {
    let head = text.lines().take(10).filter(|line| line.starts_with("//"));
    head.into_iter().any(|line| {
        line.contains("@generated")
            || line.contains("DO NOT EDIT")
            || line.contains("Do not edit")
            || line.contains("automatically generated")
    })
}

/// A comment to the linter: its span, and what stands after the slashes.
fn comment(text: &str, start: usize, end: usize) -> (Span, Box<str>) {
    (Span::new(start, end), text[start + 2..end].trim().into())
}

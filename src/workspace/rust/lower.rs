//! Items of a syntax tree to facts.

use proc_macro2::{Punct, Spacing, Span as TokenSpan, TokenStream, TokenTree};
use syn::ext::IdentExt;

use super::facts::*;
use crate::workspace::{FileId, Span};

/// Lowers a whole file. `tree` must have been parsed from `text` on this thread, for the spans.
pub(super) fn lower(file: FileId, text: &str, tree: &syn::File) -> RustFile {
    let mut lowering = Lowering {
        out: RustFile { file, generated: is_generated(text), ..RustFile::default() },
        module: ModuleId::root(),
        function: None,
        parent: None,
        test: is_test(&tree.attrs),
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
    lowering.out.comments = comments(text, &lowering.out.expressions);
    lowering.out
}

/// State of one file's lowering; expressions are lowered in `lower_expr`, macros in `lower_macro`.
pub(super) struct Lowering {
    pub out: RustFile,
    pub module: ModuleId,
    pub function: Option<FunctionId>,
    /// Expression whose child comes next.
    pub parent: Option<ExprId>,
    pub test: bool,
}

impl Lowering {
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
            span: span(item.ident.span()),
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
                    let (owner, of_trait) = (Some(owner.clone()), of_trait.clone());
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
                self.function(&function.attrs, true, &function.sig, function.default.as_ref(), Some(owner.clone()), None);
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
        let start = span(signature.fn_token.span);
        let end = body.map_or(start, |body| span(body.brace_token.span.close()));
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
            attributes: Vec::new(),
            body: None,
            name_span: span(signature.ident.span()),
            span: join(start, end),
        });
        let outer_test = std::mem::replace(&mut self.test, test);
        let outer_function = self.function.replace(id);
        let outer_parent = self.parent.take();
        // Tests are never asked about: their bodies would only take room.
        let (attributes, body) =
            if test { (Vec::new(), None) } else { (self.attributes(attributes), body.map(|body| self.block(body))) };
        let function = &mut self.out.functions[id.index()];
        function.attributes = attributes;
        function.body = body;
        (self.test, self.function, self.parent) = (outer_test, outer_function, outer_parent);
    }

    fn field(&mut self, index: usize, field: &syn::Field) -> Field {
        let name = field.ident.as_ref().map_or_else(|| index.to_string().into(), name);
        let span = field.ident.as_ref().map_or_else(Span::default, |ident| span(ident.span()));
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
            span: span(ident.span()),
        });
    }

    fn constant(&mut self, attributes: &[syn::Attribute], ident: &syn::Ident, ty: &syn::Type, value: Option<&syn::Expr>) {
        let outer = self.parent.take();
        let value = value.map(|value| self.expr(value));
        self.parent = outer;
        let test = self.test || is_test(attributes);
        self.out.constants.push(Constant {
            name: name(ident),
            module: self.module,
            ty: type_of(ty),
            value,
            test,
            span: span(ident.span()),
        });
    }

    /// All attributes but doc comments, which say nothing that a rule could use.
    fn attributes(&mut self, attributes: &[syn::Attribute]) -> Vec<Attribute> {
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
                let start = span(attribute.pound_token.span);
                let end = span(attribute.bracket_token.span.close());
                Attribute { path: segments(attribute.path()), arguments, span: join(start, end) }
            })
            .collect();
        self.parent = outer;
        lowered
    }
}

pub(super) fn name(ident: &syn::Ident) -> Name {
    ident.unraw().to_string().into()
}

pub(super) fn segments(path: &syn::Path) -> Segments {
    path.segments.iter().map(|segment| name(&segment.ident)).collect()
}

pub(super) fn span(token: TokenSpan) -> Span {
    let range = token.byte_range();
    Span::new(range.start, range.end)
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

/// References, pointers, `impl` and `dyn` peeled off.
pub(super) fn type_of(ty: &syn::Type) -> Type {
    match ty {
        syn::Type::Path(ty) => {
            let arguments = ty.path.segments.last().map(|segment| generics(&segment.arguments)).unwrap_or_default();
            Type { path: segments(&ty.path), arguments }
        }
        syn::Type::Reference(ty) => type_of(&ty.elem),
        syn::Type::Ptr(ty) => type_of(&ty.elem),
        syn::Type::Paren(ty) => type_of(&ty.elem),
        syn::Type::Group(ty) => type_of(&ty.elem),
        syn::Type::ImplTrait(ty) => bound(ty.bounds.iter()),
        syn::Type::TraitObject(ty) => bound(ty.bounds.iter()),
        syn::Type::Tuple(ty) => Type { path: Segments::default(), arguments: ty.elems.iter().map(type_of).collect() },
        syn::Type::Array(ty) => Type { path: Segments::default(), arguments: [type_of(&ty.elem)].into() },
        syn::Type::Slice(ty) => Type { path: Segments::default(), arguments: [type_of(&ty.elem)].into() },
        _ => Type::default(),
    }
}

fn bound<'a>(mut bounds: impl Iterator<Item = &'a syn::TypeParamBound>) -> Type {
    let first = bounds.find_map(|bound| match bound {
        syn::TypeParamBound::Trait(bound) => Some(&bound.path),
        _ => None,
    });
    first.map_or_else(Type::default, |path| {
        let arguments = path.segments.last().map(|segment| generics(&segment.arguments)).unwrap_or_default();
        Type { path: segments(path), arguments }
    })
}

fn generics(arguments: &syn::PathArguments) -> Box<[Type]> {
    match arguments {
        syn::PathArguments::AngleBracketed(arguments) => type_arguments(arguments),
        _ => Box::default(),
    }
}

pub(super) fn type_arguments(arguments: &syn::AngleBracketedGenericArguments) -> Box<[Type]> {
    let types = arguments.args.iter().filter_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(type_of(ty)),
        syn::GenericArgument::AssocType(binding) => Some(type_of(&binding.ty)),
        _ => None,
    });
    types.collect()
}

fn parameter(input: &syn::FnArg, owner: Option<&Segments>) -> Parameter {
    match input {
        syn::FnArg::Receiver(_) => Parameter {
            name: Some("self".into()),
            ty: Type { path: owner.cloned().unwrap_or_default(), arguments: Box::default() },
        },
        syn::FnArg::Typed(typed) => Parameter { name: bound_names(&typed.pat).pop(), ty: type_of(&typed.ty) },
    }
}

/// Every name that a pattern binds, in source order.
pub(super) fn bound_names(pattern: &syn::Pat) -> Vec<Name> {
    fn collect(pattern: &syn::Pat, names: &mut Vec<Name>) {
        match pattern {
            syn::Pat::Ident(pattern) => {
                // A capitalised identifier is a constant or a unit variant.
                let text = name(&pattern.ident);
                if !text.starts_with(char::is_uppercase) {
                    names.push(text);
                }
                if let Some((_, inner)) = &pattern.subpat {
                    collect(inner, names);
                }
            }
            syn::Pat::Or(pattern) => pattern.cases.first().into_iter().for_each(|case| collect(case, names)),
            syn::Pat::Guard(pattern) => collect(&pattern.pat, names),
            syn::Pat::Paren(pattern) => collect(&pattern.pat, names),
            syn::Pat::Reference(pattern) => collect(&pattern.pat, names),
            syn::Pat::Type(pattern) => collect(&pattern.pat, names),
            syn::Pat::Tuple(pattern) => pattern.elems.iter().for_each(|inner| collect(inner, names)),
            syn::Pat::TupleStruct(pattern) => pattern.elems.iter().for_each(|inner| collect(inner, names)),
            syn::Pat::Slice(pattern) => pattern.elems.iter().for_each(|inner| collect(inner, names)),
            syn::Pat::Struct(pattern) => pattern.fields.iter().for_each(|field| collect(&field.pat, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    collect(pattern, &mut names);
    names
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
fn is_test(attributes: &[syn::Attribute]) -> bool {
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

/// `// msvc: …` comments: the span of the whole comment, and what stands after the slashes.
fn comments(text: &str, expressions: &[Expr]) -> Vec<(Span, Box<str>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("msvc:") {
        let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let Some(slashes) = text[line_start..at].rfind("//") else { continue };
        let start = line_start + slashes;
        // Only blanks between the slashes and the word: `//     msvc:`, not `// about msvc:`.
        if !text[start + 2..at].trim().is_empty() {
            continue;
        }
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let span = Span::new(start, end);
        let quoted =
            |expr: &Expr| matches!(expr.kind, ExprKind::Literal(_)) && expr.span.start < span.start && span.start < expr.span.end;
        if !expressions.iter().any(quoted) {
            found.push((span, text[start + 2..end].trim().into()));
        }
    }
    found
}

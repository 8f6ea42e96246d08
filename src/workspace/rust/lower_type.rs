//! Types and patterns of a syntax tree to facts.

use super::facts::*;
use super::lower::{name, segments};

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

pub(super) fn parameter(input: &syn::FnArg, owner: Option<&Segments>) -> Parameter {
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

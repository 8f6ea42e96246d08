//! Whether what a log line shows is a secret.

use super::interpolated::{Value, holes};
use super::origin::{kind, only_looks_at, type_of};
use super::secret::{has_secret_key, is_secret_name};
use crate::workspace::names::{Definition, TypeRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{Attribute, ExprKind, Field, RustFile, Type, TypeKind};
use crate::workspace::{Location, Workspace};

/// Structs in structs in … are looked at this far.
const MAX_DEPTH: usize = 4;

/// A secret that a log line shows.
pub struct Shown {
    pub what: String,
    /// The field that holds it, where a whole struct is shown.
    pub field: Option<Location>,
    /// It is known to be a text.
    pub certain: bool,
}

/// What a logging macro shows, secrets alone.
pub fn shown(call: Node<'_>) -> Vec<Shown> {
    let mut found = Vec::new();
    if let Some((template, holes)) = holes(call) {
        for hole in holes {
            match hole.value {
                Value::Expr(node) => found.extend(of_value(node, hole.debug)),
                Value::Name(at, ..) => {
                    found.extend(hole.value.variable(template).and_then(|name| of_name(at, name, hole.debug)));
                }
            }
        }
    }
    let template = call.arguments().position(|argument| argument.text().is_some()).unwrap_or(usize::MAX);
    for argument in call.arguments().take(template) {
        let value = match argument.kind() {
            ExprKind::Assign { right, .. } => argument.with(*right),
            _ => argument,
        };
        let by_debug = matches!(value.kind(), ExprKind::Reference(_));
        found.extend(of_value(value, by_debug));
    }
    found
}

fn of_value(node: Node<'_>, debug: bool) -> Option<Shown> {
    if let Some(exposed) = node.descendants().find(|part| part.method() == Some("expose_secret")) {
        // `hash(secret.expose_secret())` shows something else.
        let is_whole = exposed.id == node.peel().id || exposed.parent().is_some_and(|parent| parent.id == node.id);
        return is_whole.then(|| Shown { what: "an exposed secret".to_owned(), field: None, certain: true });
    }
    let node = node.peel();
    match node.kind() {
        ExprKind::Path(path) if path.len() == 1 => of_name(node, &path[0], debug),
        ExprKind::Field { base, name } => {
            let ty = match node.with(*base).peel() {
                base if base.variable().is_some() => {
                    base.variable().and_then(|name| type_of(base, name)).unwrap_or_else(|| base.ty())
                }
                base => base.ty(),
            };
            let field = match ty {
                Definition::Type(ty) => fields(node.workspace, ty)?.iter().find(|field| field.name == *name)?,
                _ => return by_name(name, None),
            };
            let about = || match ty {
                Definition::Type(ty) => is_about_access(&[&ty.get(&node.workspace.rust).name]) || is_about_access_here(node),
                _ => true,
            };
            (is_secret_name(name) && (&**name != "token" || about())).then(|| by_name(name, Some(&field.ty))).flatten()
        }
        _ => None,
    }
}

fn of_name(at: Node<'_>, name: &str, debug: bool) -> Option<Shown> {
    if at.binding_of(name).is_some_and(is_login_header) {
        return Some(Shown { what: format!("`{name}`, a header that signs in,"), field: None, certain: true });
    }
    if is_secret_name(name) {
        if at.binding_of(name).is_some_and(hides) || name == "token" && !is_about_access_here(at) {
            return None;
        }
        return by_name(name, at.written_type(name));
    }
    if !debug {
        return None;
    }
    let ty = type_of(at, name).or_else(|| at.binding_of(name).map(Node::ty))?;
    let Definition::Type(ty) = ty else { return None };
    secret_field(at.workspace, ty, MAX_DEPTH).map(|(path, field)| Shown {
        what: format!("`{path}` of `{name}`"),
        field: Some(field),
        certain: true,
    })
}

/// `headers.get(header::AUTHORIZATION)`, as it is or as a text: `http` shows the value of a header that nobody marked as sensitive.
fn is_login_header(value: Node<'_>) -> bool {
    const HEADERS: &[&str] = &["authorization", "proxy_authorization", "cookie", "x_api_key", "x_auth_token"];
    const AS_TEXT: &[&str] = &["to_str", "and_then", "map", "unwrap_or", "ok_or", "ok_or_else", "copied", "as_bytes"];
    let is_header = |key: Node<'_>| {
        let name = key.text().or_else(|| Some(&**key.path()?.last()?));
        name.is_some_and(|name| HEADERS.contains(&name.to_ascii_lowercase().replace('-', "_").as_str()))
    };
    let mut node = value.peel();
    loop {
        let Some(method) = node.method() else { return false };
        if method == "get" {
            let headers = node.receiver().map(Node::peel);
            let of_headers = headers.is_some_and(|headers| {
                headers.method() == Some("headers")
                    || matches!(headers.ty(), Definition::External(path) if path.ends_with("::HeaderMap"))
            });
            return of_headers && node.arguments().next().is_some_and(is_header);
        }
        let looks = node.arguments().all(|argument| match argument.kind() {
            ExprKind::Closure { .. } => only_looks_at(argument),
            _ => true,
        });
        match node.receiver().filter(|_| AS_TEXT.contains(&method) && looks) {
            Some(receiver) => node = receiver.peel(),
            None => return false,
        }
    }
}

fn by_name(name: &str, ty: Option<&Type>) -> Option<Shown> {
    if is_identifier(name) {
        return None;
    }
    let certain = match ty {
        Some(ty) if is_text(ty) => true,
        // Wrappers of secrets show nothing, and other types are none.
        Some(ty) if !ty.path.is_empty() => return None,
        _ => false,
    };
    (is_secret_name(name) && (certain || has_secret_key(name))).then(|| Shown { what: format!("`{name}`"), field: None, certain })
}

/// `access_key` is the public half of a pair, beside `secret_key`.
fn is_identifier(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("access_key") && !name.contains("secret")
}

/// A bare `token` may be a state's or a parser's: whether names around it are about signing in.
fn is_about_access(names: &[&str]) -> bool {
    const WORDS: &[&str] =
        &["auth", "login", "session", "jwt", "bearer", "cred", "user", "account", "vapid", "secret", "regist", "invit"];
    names.iter().any(|name| WORDS.iter().any(|word| name.to_ascii_lowercase().contains(word)))
}

pub fn is_about_access_here(at: Node<'_>) -> bool {
    let workspace = at.workspace;
    let mut names = vec![workspace.sources.path(at.facts().file).as_str()];
    if let Some(function) = at.function().map(|function| workspace.function(function)) {
        names.push(&function.name);
        names.extend(function.owner.iter().flat_map(|owner| owner.iter()).map(|name| &**name));
    }
    is_about_access(&names)
}

/// Masked, hashed, measured.
fn hides(value: Node<'_>) -> bool {
    let hides = |name: &str| {
        let name = name.to_ascii_lowercase();
        [
            "mask",
            "redact",
            "hash",
            "digest",
            "len",
            "trunc",
            "obfusc",
            "fingerprint",
            "is_",
            "hide",
            "sanit",
            "file",
            "path",
            "encrypt",
        ]
        .iter()
        .any(|word| name.contains(word))
    };
    matches!(value.peel().kind(), ExprKind::Literal(_)) || value.descendants().any(|node| node.last_name().is_some_and(hides))
}

/// The first field that `Debug`, as derived, shows a secret text of, with its path.
pub fn secret_field(workspace: &Workspace, ty: TypeRef, depth: usize) -> Option<(String, Location)> {
    let depth = depth.checked_sub(1)?;
    let item = ty.get(&workspace.rust);
    let facts = &workspace.rust[ty.file()];
    if !item.attributes.iter().any(|attribute| derives_debug(facts, attribute)) {
        return None;
    }
    let module = *workspace.names.modules_of(ty.file(), item.module).first()?;
    fields(workspace, ty)?
        .iter()
        .filter(|field| field.attributes.iter().all(|attribute| !hides_field(facts, attribute)))
        .find_map(|field| {
            let about = || is_about_access(&[&item.name, workspace.sources.path(facts.file).as_str()]);
            let secret = is_secret_name(&field.name) && !is_identifier(&field.name) && (&*field.name != "token" || about());
            if secret && is_text(&field.ty) {
                return Some((field.name.to_string(), facts.location(field.span)));
            }
            let Definition::Type(inner) = workspace.type_meaning(module, &field.ty, None) else { return None };
            let (path, at) = secret_field(workspace, inner, depth).filter(|_| inner != ty)?;
            Some((format!("{}.{path}", field.name), at))
        })
}

fn fields(workspace: &Workspace, ty: TypeRef) -> Option<&[Field]> {
    match &ty.get(&workspace.rust).kind {
        TypeKind::Struct(fields) => Some(fields),
        _ => None,
    }
}

fn derives_debug(facts: &RustFile, attribute: &Attribute) -> bool {
    let names_debug = |id: &crate::workspace::rust::ExprId| matches!(&facts.expr(*id).kind, ExprKind::Path(path) if path.last().is_some_and(|name| &**name == "Debug"));
    let is_std = |id: &crate::workspace::rust::ExprId| matches!(&facts.expr(*id).kind, ExprKind::Path(path) if path.len() == 1);
    attribute.path.last().is_some_and(|name| &**name == "derive")
        && attribute.arguments.iter().any(|id| names_debug(id) && is_std(id))
}

/// `#[debug(skip)]`, `#[veil(…)]`, `#[redact]` and their kin, for derives that know them.
fn hides_field(facts: &RustFile, attribute: &Attribute) -> bool {
    let word = |name: &str| ["debug", "redact", "veil", "derivative", "educe", "sensitive", "secret"].contains(&name);
    attribute.path.iter().any(|name| word(name))
        || attribute
            .arguments
            .iter()
            .any(|id| matches!(&facts.expr(*id).kind, ExprKind::Path(path) if path.iter().any(|name| word(name))))
}

/// `String`, `&str`, bytes, also in `Option`.
pub fn is_text(ty: &Type) -> bool {
    let is_bytes = |ty: &Type| ty.name() == Some("Vec") && ty.arguments.first().and_then(Type::name) == Some("u8");
    kind(ty) == Some(true) || is_bytes(ty)
}

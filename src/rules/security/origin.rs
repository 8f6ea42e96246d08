//! Where a text comes from: the code itself, or whoever calls the service.

use super::interpolated::{Value, holes};
use crate::workspace::Location;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Name, Type, TypeKind};

/// Bindings and callers are followed through at most this many steps.
const MAX_DEPTH: usize = 8;
/// Callers beyond this many are not looked at.
const MAX_CALLERS: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Literals, constants, numbers.
    Code,
    /// A text from elsewhere; where a request brings it in, if that is known.
    Text(Option<Location>),
    Unknown,
}

/// What frameworks hand a part of the request to handlers in.
const EXTRACTORS: &[&str] =
    &["Path", "Query", "Json", "Form", "Request", "QueryParams", "PathParams", "TypedHeader", "Multipart"];
const WRAPPERS: &[&str] = &["Option", "Box", "Arc", "Rc", "Cow", "Result"];
const NUMBERS: &[&str] = &[
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "bool",
    "Uuid",
    "DateTime",
    "NaiveDate",
    "NaiveDateTime",
    "Decimal",
    "BigDecimal",
    "Ulid",
    "OffsetDateTime",
];

impl Origin {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Text(Some(at)), _) | (_, Self::Text(Some(at))) => Self::Text(Some(at)),
            (Self::Text(None), _) | (_, Self::Text(None)) => Self::Text(None),
            (Self::Code, Self::Code) => Self::Code,
            _ => Self::Unknown,
        }
    }
}

/// Where the value of a hole comes from.
pub fn of_value(value: Value<'_>, template: &str) -> Origin {
    match value {
        Value::Expr(node) => of(node, MAX_DEPTH),
        Value::Name(at, start, end) => template.get(start..end).map_or(Origin::Unknown, |name| of_name(at, name, MAX_DEPTH)),
    }
}

fn of(node: Node<'_>, depth: usize) -> Origin {
    let Some(depth) = depth.checked_sub(1) else { return Origin::Unknown };
    let node = node.peel();
    let all =
        |ids: &mut dyn Iterator<Item = Node<'_>>| ids.map(|part| of(part, depth)).reduce(Origin::or).unwrap_or(Origin::Unknown);
    match node.kind() {
        ExprKind::Literal(_) => Origin::Code,
        ExprKind::Path(path) if path.len() == 1 && !is_constant(&path[0]) => of_name(node, &path[0], depth),
        // Constants, associated ones too.
        ExprKind::Path(path) => path.last().filter(|name| is_constant(name)).map_or(Origin::Unknown, |_| Origin::Code),
        ExprKind::Field { base, name } => of_field(node.with(*base), name),
        ExprKind::Macro { path, .. } => match path.last().map(|name| &**name) {
            Some("format" | "concat") => match holes(node) {
                Some((template, holes)) => holes
                    .iter()
                    .map(|hole| match hole.value {
                        Value::Expr(node) => of(node, depth),
                        Value::Name(at, ..) => {
                            hole.value.variable(template).map_or(Origin::Unknown, |name| of_name(at, name, depth))
                        }
                    })
                    .fold(Origin::Code, Origin::or),
                None => Origin::Code,
            },
            Some("stringify" | "env" | "file" | "line") => Origin::Code,
            _ => Origin::Unknown,
        },
        ExprKind::If { then, otherwise, .. } => all(&mut [*then].into_iter().chain(*otherwise).map(|id| node.with(id))),
        ExprKind::Match { arms, .. } => all(&mut arms.iter().map(|arm| node.with(*arm))),
        ExprKind::Arm { body, .. } => of(node.with(*body), depth),
        ExprKind::Block(statements) => statements.last().map_or(Origin::Unknown, |last| of(node.with(*last), depth)),
        ExprKind::Method { receiver, name, .. } => match &**name {
            "trim" | "to_lowercase" | "to_uppercase" | "as_deref" | "unwrap_or" | "unwrap_or_else" | "into_inner"
            | "into_string" | "to_str" | "as_bytes" => of(node.with(*receiver), depth),
            // `headers.get("x-tenant")`
            "get" => of_header(node.with(*receiver)),
            // `value.and_then(|value| value.to_str().ok())`
            "and_then" | "map" if node.arguments().next().is_some_and(only_looks_at) => of(node.with(*receiver), depth),
            "len" | "count" | "timestamp" | "as_secs" | "as_millis" => Origin::Code,
            _ => Origin::Unknown,
        },
        ExprKind::Call { .. } => match node.last_name() {
            Some("from" | "Some" | "Ok") => node.arguments().next().map_or(Origin::Unknown, |argument| of(argument, depth)),
            _ => Origin::Unknown,
        },
        _ => Origin::Unknown,
    }
}

fn of_name(at: Node<'_>, name: &str, depth: usize) -> Origin {
    let Some(depth) = depth.checked_sub(1) else { return Origin::Unknown };
    if is_constant(name) {
        return Origin::Code;
    }
    if let Some(value) = at.binding_of(name).or_else(|| matched(at, name)) {
        return match at.written_type(name).map(innermost).and_then(Type::name) {
            Some(ty) if NUMBERS.contains(&ty) => Origin::Code,
            _ => of(value, depth),
        };
    }
    let Some(ty) = at.written_type(name) else { return Origin::Unknown };
    match kind(ty) {
        Some(true) => of_parameter(at, name, ty, depth),
        Some(false) => Origin::Code,
        None => Origin::Unknown,
    }
}

/// What a pattern around this place takes the name out of: `if let Some(name) = value { … }`, `match value { Some(name) => … }`.
pub fn matched<'w>(at: Node<'w>, name: &str) -> Option<Node<'w>> {
    let binds = |names: &[Name]| matches!(names, [only] if **only == *name);
    let mut inner = at;
    for ancestor in at.ancestors() {
        match ancestor.kind() {
            ExprKind::If { condition, then, .. } if *then == inner.id => {
                let found = ancestor.with(*condition).descendants().find_map(|part| match part.kind() {
                    ExprKind::Let { names, value, .. } if binds(names) => value.map(|value| part.with(value)),
                    _ => None,
                });
                if found.is_some() {
                    return found;
                }
            }
            ExprKind::Match { on, arms } if arms.contains(&inner.id) => {
                if matches!(inner.kind(), ExprKind::Arm { names, .. } if binds(names)) {
                    return Some(ancestor.with(*on));
                }
            }
            _ => {}
        }
        inner = ancestor;
    }
    None
}

/// A header of the request that a handler is given, alone or with its headers.
fn of_header(headers: Node<'_>) -> Origin {
    let of_request = match headers.peel() {
        of if of.method() == Some("headers") => of.receiver().is_some_and(|request| is_given(request, brings_request)),
        of => is_given(of, |ty| ty.name() == Some("HeaderMap")),
    };
    if of_request { Origin::Text(Some(headers.at())) } else { Origin::Unknown }
}

/// Whether a name stands for a parameter of such a type.
fn is_given(node: Node<'_>, is_it: impl Fn(&Type) -> bool) -> bool {
    let node = node.peel();
    node.variable().is_some_and(|name| node.binding().is_none() && node.written_type(name).is_some_and(is_it))
}

/// A closure that reads its parameter as a text, and nothing else: `|value| value.to_str().ok()`.
pub fn only_looks_at(closure: Node<'_>) -> bool {
    let ExprKind::Closure { parameters, body, .. } = closure.kind() else { return false };
    let mut chain = closure.with(*body).receivers().map(Node::peel).collect::<Vec<_>>().into_iter().rev();
    let is_parameter =
        |node: Node<'_>| node.variable().is_some_and(|name| parameters.iter().any(|known| known.name.as_deref() == Some(name)));
    chain.next().is_some_and(is_parameter)
        && chain.all(|node| matches!(node.last_name(), Some("to_str" | "ok" | "as_str" | "trim" | "as_bytes")))
}

/// A text that a function is given: what its callers give it.
fn of_parameter(at: Node<'_>, name: &str, ty: &Type, depth: usize) -> Origin {
    let Some(function) = at.function() else { return Origin::Unknown };
    let workspace = at.workspace;
    let item = workspace.function(function);
    let Some(position) = item.parameters.iter().position(|parameter| parameter.name.as_deref() == Some(name)) else {
        return Origin::Unknown;
    };
    if brings_request(ty) || workspace.http.routes.iter().any(|route| route.handlers.contains(&function)) {
        return Origin::Text(Some(workspace.function_location(function)));
    }
    let has_self = item.parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"));
    let calls: Vec<Node<'_>> = workspace.results_of(function).into_iter().filter(|call| call.ships()).take(MAX_CALLERS).collect();
    let given = calls.into_iter().map(|call| {
        let position = if has_self && call.method().is_some() { position.checked_sub(1) } else { Some(position) };
        let argument = position.and_then(|position| call.arguments().nth(position));
        argument.map_or(Origin::Unknown, |argument| of(argument, depth))
    });
    given.reduce(Origin::or).unwrap_or(Origin::Unknown)
}

/// `query.name` of a `Query(query): Query<Search>`, `self.schema`.
fn of_field(base: Node<'_>, name: &str) -> Origin {
    let base = base.peel();
    let given = match base.kind() {
        ExprKind::Path(path) if path.len() == 1 => match base.binding() {
            // `let search = request.into_inner();`
            Some(value) => {
                let value = value.peel();
                let from = (value.method() == Some("into_inner")).then(|| value.receiver()).flatten();
                from.and_then(|from| from.written_type(from.variable()?))
            }
            None => base.written_type(&path[0]),
        },
        _ => None,
    };
    let ty = match given {
        Some(ty) => base.meaning(innermost(ty)),
        None => base.ty(),
    };
    let Definition::Type(ty) = ty else { return Origin::Unknown };
    let TypeKind::Struct(fields) = &ty.get(&base.workspace.rust).kind else { return Origin::Unknown };
    let Some(field) = fields.iter().find(|field| &*field.name == name) else { return Origin::Unknown };
    match (kind(&field.ty), given.is_some_and(brings_request)) {
        (Some(false), _) => Origin::Code,
        (Some(true), true) => Origin::Text(Some(base.at())),
        _ => Origin::Unknown,
    }
}

/// The type of a value behind wrappers and extractors: `Login` of `login: Json<Login>`.
pub fn type_of(at: Node<'_>, name: &str) -> Option<Definition> {
    Some(at.meaning(innermost(at.written_type(name)?)))
}

/// Whether a type is a text (`true`) or what has no quotes in it (`false`).
pub fn kind(ty: &Type) -> Option<bool> {
    match innermost(ty).name()? {
        "String" | "str" => Some(true),
        name if NUMBERS.contains(&name) => Some(false),
        _ => None,
    }
}

fn brings_request(ty: &Type) -> bool {
    ty.name().is_some_and(|name| EXTRACTORS.contains(&name))
        || ty.name().is_some_and(|name| WRAPPERS.contains(&name)) && ty.arguments.first().is_some_and(brings_request)
}

/// `Search` of `Option<Query<Search>>`.
fn innermost(ty: &Type) -> &Type {
    let mut ty = ty;
    while ty.name().is_some_and(|name| WRAPPERS.contains(&name) || EXTRACTORS.contains(&name)) {
        match ty.arguments.first() {
            Some(inner) => ty = inner,
            None => break,
        }
    }
    ty
}

fn is_constant(name: &str) -> bool {
    name.chars().any(|c| c.is_ascii_uppercase()) && !name.chars().any(|c| c.is_ascii_lowercase())
}

//! What settings are where nobody sets them: by `serde`, by `Default`, by the builder of a library.

use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Field, Name, TypeItem, TypeKind};
use crate::workspace::{Service, Workspace};

/// Outside paths of what fills settings from the environment.
const FROM_ENVIRONMENT: &[&str] = &["envy::", "config::Environment::", "figment::providers::Env::", "serde_env::"];

/// What a key of the settings is when nothing sets it.
pub struct Default<'w> {
    /// `inventory.url`, or a field's name.
    pub key: &'w str,
    /// The literal.
    pub value: Node<'w>,
}

/// Texts that `worth` says yes to and that are defaults of settings which a library fills from the environment of the service.
pub fn defaults<'w>(workspace: &'w Workspace, service: &'w Service, worth: impl Fn(&str) -> bool + 'w) -> Vec<Default<'w>> {
    let reads =
        |path: &&str| workspace.calls_below(path.trim_end_matches("::")).into_iter().any(|call| workspace.runs(service, call));
    if !FROM_ENVIRONMENT.iter().any(reads) {
        return Vec::new();
    }
    let texts = workspace.texts(worth);
    let found = texts.filter_map(|value| Some(Default { key: key(value)?, value }));
    found.filter(|default| is_read(workspace, service, default.value)).collect()
}

/// Code that a derive calls counts with its file.
fn is_read(workspace: &Workspace, service: &Service, value: Node<'_>) -> bool {
    let reach = workspace.binary(service).and_then(|binary| workspace.reach.get(&binary));
    reach.is_some_and(|reach| reach.files().binary_search(&value.file).is_ok())
}

/// The key of the settings whose default this is.
fn key(value: Node<'_>) -> Option<&str> {
    let mut around = value.ancestors().skip_while(|node| is_same(*node));
    let first = around.next();
    if let Some(first) = first.filter(|node| node.method() == Some("set_default")) {
        return first.arguments().next()?.text();
    }
    let function = value.workspace.function(value.function()?);
    match first.map(|node| (node, node.kind())) {
        Some((literal, ExprKind::Struct { fields, .. })) => {
            let of_default = function.of_trait.as_ref().and_then(|path| path.last()).is_some_and(|name| &**name == "Default");
            let Definition::Type(ty) = literal.definition() else { return None };
            let item = ty.get(&value.workspace.rust);
            let is_read = value.workspace.rust[ty.file()].derives(&item.attributes, "Deserialize");
            let holds = |part: &&(Name, _)| literal.with(part.1).descendants().any(|node| node.id == value.id);
            fields.iter().find(holds).filter(|_| of_default && is_read).map(|(name, _)| &**name)
        }
        // `fn default_url() -> String { "http://localhost:8081".into() }`
        _ => {
            let body = value.workspace.body(value.function()?)?;
            let ExprKind::Block(statements) = body.kind() else { return None };
            let is_all = matches!(statements[..], [only] if body.with(only).descendants().any(|node| node.id == value.id));
            let fields = value.facts().types.iter().filter(|item| !item.test).flat_map(fields_of);
            fields
                .filter(|_| is_all && first.is_none_or(|node| node.id == body.id))
                .find(|field| names_default(value, field, &function.name))
                .map(|field| &*field.name)
        }
    }
}

/// `"…".to_owned()`, `String::from("…")`, `Some("…".into())`
fn is_same(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Method { name, .. } => matches!(&**name, "to_owned" | "to_string" | "into" | "parse" | "unwrap" | "expect"),
        ExprKind::Call { .. } => matches!(node.last_name(), Some("from" | "Some" | "parse")),
        _ => false,
    }
}

fn fields_of(item: &TypeItem) -> &[Field] {
    match &item.kind {
        TypeKind::Struct(fields) => fields,
        _ => &[],
    }
}

/// `#[serde(default = "url")]` on a field beside the function.
pub fn names_default(beside: Node<'_>, field: &Field, function: &str) -> bool {
    let mut arguments = field.attributes.iter().flat_map(|attribute| &attribute.arguments);
    arguments.any(|id| match beside.with(*id).kind() {
        ExprKind::Assign { left, right } => {
            let text = beside.with(*right).text();
            beside.with(*left).variable() == Some("default")
                && text.is_some_and(|text| text.rsplit("::").next() == Some(function))
        }
        _ => false,
    })
}

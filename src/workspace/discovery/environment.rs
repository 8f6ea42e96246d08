//! Environment variables that a binary reads, with what they are when unset.

use std::collections::{BTreeMap, HashMap};

use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::reach::Reach;
use crate::workspace::rust::{Attribute, ExprKind, RustFile, TypeKind};
use crate::workspace::service::EnvVar;
use crate::workspace::values::{constant_text, literal_text};
use crate::workspace::{Location, Workspace};

/// Outside functions that read the variable their first argument names.
const READERS: &[&str] = &["std::env::var", "std::env::var_os", "dotenv::var", "dotenvy::var"];

/// Functions of the workspace that read the variable that one of their parameters names: `fn env_or(name, default)`.
pub struct Helpers {
    known: HashMap<FunctionRef, Helper>,
    /// Reads of variables in code that ships, with their defaults: by function, in source order.
    read: HashMap<FunctionRef, Vec<(String, Option<String>, Location)>>,
}

struct Helper {
    /// Index of the parameter that names the variable.
    name: usize,
    fallback: Fallback,
}

/// What a read gives when the variable is unset.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fallback {
    /// It fails.
    Required,
    /// Something that is not known, or nothing.
    Optional,
    Value(String),
    /// A parameter of the helper.
    Parameter(usize),
}

impl Helpers {
    pub fn find(workspace: &Workspace) -> Self {
        let mut found = HashMap::new();
        for node in reads(workspace) {
            let (Some(function), Some(variable)) = (node.function(), node.arguments().next()) else { continue };
            let parameters = &workspace.function(function).parameters;
            let index = |node: Node<'_>| {
                let name = node.peel().variable()?;
                parameters.iter().position(|parameter| parameter.name.as_deref() == Some(name))
            };
            if let Some(name) = index(variable) {
                found.entry(function).or_insert(Helper { name, fallback: fallback(node, &index) });
            }
        }
        let mut helpers = Self { known: found, read: HashMap::new() };
        let by_helper = helpers.known.keys().flat_map(|helper| workspace.results_of(*helper));
        let mut nodes: Vec<Node<'_>> = reads(workspace).chain(by_helper).collect();
        nodes.sort_by_cached_key(|node| node.order());
        nodes.dedup_by_key(|node| (node.file, node.id));
        for node in nodes {
            if let (Some(function), Some((name, default))) = (node.function(), read(node, &helpers)) {
                helpers.read.entry(function).or_default().push((name, default, node.at()));
            }
        }
        helpers
    }
}

fn reads(workspace: &Workspace) -> impl Iterator<Item = Node<'_>> {
    READERS.iter().flat_map(|path| workspace.calls_to(path))
}

/// Variables read by the functions and constants that a binary reaches, in name order.
pub fn variables(workspace: &Workspace, reached: &Reach, helpers: &Helpers) -> BTreeMap<String, EnvVar> {
    let mut found = BTreeMap::new();
    let mut add = |name: String, default: Option<String>, at: Location| {
        let secret = is_secret(&name);
        found.entry(name.clone()).or_insert(EnvVar { name, default, secret, at });
    };
    for (name, default, at) in reached.functions().iter().filter_map(|function| helpers.read.get(function)).flatten() {
        add(name.clone(), default.clone(), *at);
    }
    let constants = reached.files().iter().flat_map(|&file| {
        let values =
            workspace.rust[file].constants.iter().filter(|constant| !constant.test).filter_map(|constant| constant.value);
        values.map(move |id| Node { workspace, file, id })
    });
    for node in constants.flat_map(Node::descendants) {
        if let Some((name, default)) = read(node, helpers) {
            add(name, default, node.at());
        }
    }
    for &file in reached.files() {
        for (name, default, at) in clap_variables(&workspace.rust[file]) {
            add(name, default, at);
        }
    }
    found
}

/// The variable that this call reads, and its default.
pub fn read(node: Node<'_>, helpers: &Helpers) -> Option<(String, Option<String>)> {
    if !matches!(node.kind(), ExprKind::Call { .. }) {
        return None;
    }
    let (name, fallback) = match node.definition() {
        crate::workspace::names::Definition::External(path) if READERS.contains(&path) => {
            (node.arguments().next()?, fallback(node, &|_| None))
        }
        crate::workspace::names::Definition::Function(function) => {
            let helper = helpers.known.get(&function)?;
            let fallback = match &helper.fallback {
                Fallback::Parameter(index) => match node.arguments().nth(*index).and_then(constant_text) {
                    Some(value) => Fallback::Value(value),
                    None => Fallback::Optional,
                },
                // A helper that hands on the error leaves the decision to its caller.
                Fallback::Required => fallback(node, &|_| None),
                known => known.clone(),
            };
            (node.arguments().nth(helper.name)?, fallback)
        }
        _ => return None,
    };
    let default = match fallback {
        Fallback::Required => None,
        Fallback::Optional | Fallback::Parameter(_) => Some(String::new()),
        Fallback::Value(value) => Some(value),
    };
    Some((constant_text(name)?, default))
}

/// What the methods after a read make of an unset variable.
fn fallback<'w>(read: Node<'w>, parameter: &dyn Fn(Node<'w>) -> Option<usize>) -> Fallback {
    let value = |node: Node<'w>| match (constant_text(node), parameter(node)) {
        (Some(text), _) => Fallback::Value(text),
        (None, Some(index)) => Fallback::Parameter(index),
        (None, None) => Fallback::Optional,
    };
    let mut optional = false;
    let mut node = read;
    while let Some(parent) = node.parent() {
        match parent.kind() {
            ExprKind::Method { receiver, name, .. } if *receiver == node.id => match &**name {
                "unwrap_or" | "map_or" => return parent.arguments().next().map_or(Fallback::Optional, value),
                "unwrap_or_else" | "or_else" | "map_or_else" => {
                    return match parent.arguments().next().map(Node::kind) {
                        Some(ExprKind::Closure { body, .. }) => closure_value(parent.with(*body), &value),
                        _ => Fallback::Optional,
                    };
                }
                "unwrap_or_default" | "is_ok" | "is_err" | "is_some" | "is_none" => return Fallback::Optional,
                // `.ok()` drops the error, but `.ok().expect(…)` and `.ok()?` bring it back.
                "ok" => optional = true,
                "unwrap" | "expect" => return Fallback::Required,
                _ => {}
            },
            ExprKind::Try(_) => return Fallback::Required,
            ExprKind::Reference(_) | ExprKind::Await(_) => {}
            // `match env::var(NAME) { Ok(url) => url, Err(_) => "…".into() }`
            ExprKind::Match { on, arms } if *on == node.id => {
                let failed = arms.iter().map(|arm| parent.with(*arm)).find(|arm| !is_success(*arm));
                return failed.map_or(Fallback::Optional, |arm| closure_value(arm, &value));
            }
            // `if let Ok(url) = env::var(NAME) { url } else { "…".into() }`
            ExprKind::Let { .. } => {
                return match parent.parent().map(|outer| (outer, outer.kind())) {
                    Some((outer, ExprKind::If { condition, otherwise: Some(otherwise), .. })) if *condition == parent.id => {
                        closure_value(outer.with(*otherwise), &value)
                    }
                    _ => Fallback::Optional,
                };
            }
            ExprKind::Match { .. } | ExprKind::If { .. } => return Fallback::Optional,
            _ => break,
        }
        node = parent;
    }
    // The bare result is handed on: to a caller that may fail, or into an `Option`.
    if optional { Fallback::Optional } else { Fallback::Required }
}

/// `Ok(text) => …`, `Some(text) => …`
fn is_success(arm: Node<'_>) -> bool {
    matches!(arm.kind(), ExprKind::Arm { variant, .. } if variant.last().is_some_and(|name| matches!(&**name, "Ok" | "Some")))
}

fn closure_value<'w>(body: Node<'w>, value: &dyn Fn(Node<'w>) -> Fallback) -> Fallback {
    match body.kind() {
        ExprKind::Block(statements) => {
            statements.last().map_or(Fallback::Optional, |last| closure_value(body.with(*last), value))
        }
        ExprKind::Arm { body: value_of_arm, .. } => closure_value(body.with(*value_of_arm), value),
        // `unwrap_or_else(|_| panic!(…))`
        ExprKind::Macro { path, .. } if path.last().is_some_and(|name| matches!(&**name, "panic" | "bail" | "unreachable")) => {
            Fallback::Required
        }
        _ => value(body),
    }
}

/// `#[arg(long, env = "PORT", default_value = "8080")]`, `#[clap(env)]`.
fn clap_variables(facts: &RustFile) -> Vec<(String, Option<String>, Location)> {
    let mut found = Vec::new();
    for item in facts.types.iter().filter(|item| !item.test) {
        let TypeKind::Struct(fields) = &item.kind else { continue };
        for field in fields {
            for attribute in &field.attributes {
                if !matches!(attribute.path.last().map(|name| &**name), Some("arg" | "clap" | "structopt")) {
                    continue;
                }
                let arguments = arguments(facts, attribute);
                let Some((_, name)) = arguments.iter().find(|(key, _)| key == "env") else { continue };
                let name = name.clone().unwrap_or_else(|| field.name.to_uppercase());
                let default = arguments.iter().find(|(key, _)| key.starts_with("default_value"));
                let optional = matches!(field.ty.name(), Some("Option" | "Vec" | "bool"));
                let default = match default {
                    Some((_, value)) => Some(value.clone().unwrap_or_default()),
                    None => optional.then(String::new),
                };
                found.push((name, default, facts.location(field.span)));
            }
        }
    }
    found
}

/// Keys of an attribute, with their literal values: `env = "PORT"`, `long`.
pub fn arguments(facts: &RustFile, attribute: &Attribute) -> Vec<(String, Option<String>)> {
    let name = |kind: &ExprKind| match kind {
        ExprKind::Path(path) => path.last().map(|name| name.to_string()),
        _ => None,
    };
    let read = |id: &crate::workspace::rust::ExprId| match &facts.expr(*id).kind {
        ExprKind::Assign { left, right } => {
            let value = match &facts.expr(*right).kind {
                ExprKind::Literal(literal) => literal_text(literal),
                _ => None,
            };
            Some((name(&facts.expr(*left).kind)?, value))
        }
        kind => Some((name(kind)?, None)),
    };
    attribute.arguments.iter().filter_map(read).collect()
}

/// Whether a variable's or key's name says that its value must not be shown.
pub fn is_secret(name: &str) -> bool {
    const WORDS: &[&str] =
        &["SECRET", "PASSWORD", "PASSWD", "PWD", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY", "DSN", "PGPASSWORD"];
    const PAIRS: &[&str] =
        &["API_KEY", "PRIVATE_KEY", "ACCESS_KEY", "SIGNING_KEY", "ENCRYPTION_KEY", "AUTH_KEY", "AUTH__KEY", "MASTER_KEY"];
    /// Addresses that carry a user and a password.
    const ADDRESSES: &[&str] = &[
        "DATABASE_URL",
        "DATABASE_URI",
        "DB_URL",
        "DB_URI",
        "POSTGRES_URL",
        "POSTGRES_URI",
        "PG_URL",
        "MYSQL_URL",
        "MONGO_URL",
        "MONGO_URI",
        "MONGODB_URL",
        "MONGODB_URI",
        "REDIS_URL",
        "AMQP_URL",
        "AMQP_ADDR",
        "RABBITMQ_URL",
        "CONNECTION_STRING",
    ];
    let name = name.to_uppercase().replace(['-', '.'], "_");
    let words: Vec<&str> = name.split('_').collect();
    // How long a token lives, or how many there are, is no secret.
    const MEASURES: &[&str] = &[
        "TTL",
        "EXPIRY",
        "EXPIRES",
        "EXPIRATION",
        "TIMEOUT",
        "LENGTH",
        "LIFETIME",
        "MS",
        "SECONDS",
        "MINUTES",
        "HOURS",
        "DAYS",
        "COUNT",
        "NAME",
        "LIMIT",
    ];
    if words.last().is_some_and(|last| MEASURES.contains(last)) {
        return false;
    }
    words.iter().any(|word| WORDS.contains(word)) || PAIRS.iter().chain(ADDRESSES).any(|pair| name.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn secrets_by_name() {
        for yes in
            ["DB_PASSWORD", "ORDERS__AUTH__KEY_FILE", "API_KEY", "DATABASE_URL", "APP_DATABASE_URL", "JWT_SECRET", "auth.token"]
        {
            assert!(is_secret(yes), "{yes}");
        }
        for no in ["PORT", "TOKEN_TTL", "KEYBOARD", "LOG_LEVEL", "INVENTORY_URL", "ORDERS__SERVER__PORT", "SECRET_NAME", "PWDX"] {
            assert!(!is_secret(no), "{no}");
        }
    }
}

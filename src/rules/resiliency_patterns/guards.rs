//! Whether a service has a guard of some kind anywhere, and whether all that could be one was seen.

use std::collections::{BTreeSet, HashMap};

use super::layers::APPLY;
use crate::workspace::http::Served;
use crate::workspace::manifest::DependencyKind;
use crate::workspace::names::{CrateId, Definition, RustIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Name, Type, TypeKind, Use};
use crate::workspace::{Service, Workspace};

/// Crates whose middleware is known: none of it limits how much comes in or goes out, unless its name says so.
const KNOWN: &[&str] = &[
    "actix_cors",
    "actix_files",
    "actix_identity",
    "actix_session",
    "actix_web",
    "actix_web_httpauth",
    "actix_web_opentelemetry",
    "actix_web_prom",
    "async_graphql",
    "axum",
    "axum_extra",
    "axum_login",
    "axum_otel_metrics",
    "axum_prometheus",
    "axum_server",
    "axum_tracing_opentelemetry",
    "core",
    "futures",
    "futures_util",
    "http",
    "http_body_util",
    "hyper",
    "hyper_util",
    "metrics",
    "opentelemetry",
    "opentelemetry_instrumentation_tower",
    "poem",
    "poem_openapi",
    "prometheus",
    "rocket",
    "rocket_cors",
    "salvo",
    "salvo_core",
    "sentry",
    "sentry_actix",
    "sentry_tower",
    "std",
    "tokio",
    "tokio_util",
    "tonic",
    "tonic_health",
    "tonic_reflection",
    "tonic_tracing_opentelemetry",
    "tonic_web",
    "tower",
    "tower_cookies",
    "tower_http",
    "tower_layer",
    "tower_sessions",
    "tracing",
    "tracing_actix_web",
    "tracing_opentelemetry",
    "tracing_subscriber",
    "utoipa_swagger_ui",
    "warp",
];

/// Crates of the workspace that a service is made of.
fn crates(workspace: &Workspace, service: &Service) -> Vec<CrateId> {
    workspace.binary(service).map(|binary| workspace.names.reach(binary)).unwrap_or_default()
}

/// Whether anything that a service reaches, or a library that its code may use, has one of `words` in its name: `governor`,
/// `CircuitBreaker`, `check_rate_limit`. The words are in lower case, without `_` and `-`.
pub fn is_named(workspace: &Workspace, service: &Service, words: &[&str]) -> bool {
    let has = |name: &str| {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        words.iter().any(|word| name.contains(word))
    };
    let packages = crates(workspace, service).into_iter().map(|krate| &workspace.packages[workspace.names.crates[krate].package]);
    let mut dependencies =
        packages.flat_map(|package| &package.dependencies).filter(|known| known.kind == DependencyKind::Normal);
    if dependencies.any(|dependency| has(&dependency.package)) {
        return true;
    }
    let Some(reach) = workspace.binary(service).and_then(|binary| workspace.reach.get(&binary)) else { return false };
    // The same few names come again and again.
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut has = |name| *known.entry(name).or_insert_with(|| has(name));
    // What is in scope, and what statics are. What a file imports for functions that this service does not call is not there.
    let mut imported: BTreeSet<(RustIndex, Name)> = BTreeSet::new();
    for &file in reach.files() {
        let facts = &workspace.rust[file];
        for import in facts.uses.iter().filter(|import| import.path.iter().any(|name| has(name))) {
            // In macros among the items (`lazy_static!`) not every name is seen.
            if !facts.item_macros.is_empty() || !is_named_where_used(workspace, file, import) {
                return true;
            }
            imported.insert((file, import.name));
        }
        if facts.constants.iter().any(|constant| has(&constant.name) || constant.ty.path.iter().any(|name| has(name))) {
            return true;
        }
    }
    for &function in reach.functions() {
        let item = workspace.function(function);
        let is_imported = |path: &[Name]| path.first().is_some_and(|name| imported.contains(&(function.file(), *name)));
        let mut types = item.parameters.iter().map(|parameter| &parameter.ty).chain(&item.returns);
        if has(&item.name)
            || item.owner.iter().flat_map(|owner| owner.iter()).any(|name| has(name))
            || types.any(|ty| names(ty, &is_imported))
            || workspace.outline(function).is_some_and(|outline| outline.paths.iter().any(|path| is_imported(path)))
        {
            return true;
        }
        for node in workspace.body(function).into_iter().flat_map(Node::descendants) {
            let found = match node.kind() {
                ExprKind::Path(path) | ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => {
                    is_imported(path) || path.iter().any(|name| has(name))
                }
                ExprKind::Method { name, .. } | ExprKind::Field { name, .. } => has(name),
                _ => false,
            };
            if found {
                return true;
            }
        }
    }
    false
}

/// Whether a written type, or an argument of it, is such a path.
fn names(ty: &Type, is_it: &dyn Fn(&[Name]) -> bool) -> bool {
    is_it(&ty.path) || ty.arguments.iter().any(|argument| names(argument, is_it))
}

/// Whether code that uses an import writes its name: not so for traits, whose methods are called, and for what is not of the workspace.
fn is_named_where_used(workspace: &Workspace, file: RustIndex, import: &Use) -> bool {
    let Some(&module) = workspace.names.modules_of(file, import.module).first() else { return false };
    match workspace.names.resolve(&workspace.rust, module, &[import.name], None) {
        Definition::Type(ty) => !matches!(ty.get(&workspace.rust).kind, TypeKind::Trait),
        Definition::Function(_) | Definition::Module(_) => true,
        _ => false,
    }
}

/// Whether something is put around requests whose code was not seen: a company's middleware, a parameter.
pub fn has_unknown_layer(served: &Served<'_>) -> bool {
    // `registry().with(layer)` is about logs.
    let logs = |call: &Node<'_>| super::layers::root(*call).external().is_some_and(|path| path.starts_with("tracing_subscriber"));
    let applied =
        APPLY.iter().filter(|name| !matches!(**name, "push" | "and_then" | "service")).flat_map(|name| served.named(name));
    applied.filter(|call| call.method().is_some() && !logs(call)).flat_map(Node::arguments).any(|argument| {
        let value = argument.peel();
        let value = super::layers::root(value);
        let outside = match value.definition() {
            Definition::External(path) => Some(path),
            _ => match value.ty() {
                Definition::External(path) => Some(path),
                _ => None,
            },
        };
        outside.is_some_and(|path| path.split("::").next().is_some_and(|owner| !KNOWN.contains(&owner)))
    })
}

//! Where a service's log is set up, and by whom that could be done unseen.

use crate::rules::libraries::{FACADES, LOG_CRATES, PLAIN};
use crate::rules::words::has_word;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::reach::Reach;
use crate::workspace::running::function_at;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};
use rustc_hash::FxHashSet as HashSet;

/// Macros of `tracing` and `log` that write a line.
pub const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "event"];
/// Words in the names of what has to do with a log.
const WORDS: &[&str] = &["log", "logs", "logger", "logging", "tracing", "telemetry", "subscriber", "observability", "otel"];
/// Parts of the names of crates that do.
const CRATES: &[&str] = &["log", "trac", "telemetry", "observ", "otel", "fern", "femme"];
/// Macros of the standard library and of runtimes.
const MACROS: &[&str] = &[
    "anyhow",
    "assert",
    "assert_eq",
    "assert_ne",
    "bail",
    "cfg",
    "concat",
    "dbg",
    "ensure",
    "env",
    "eprint",
    "eprintln",
    "format",
    "include_bytes",
    "include_str",
    "join",
    "json",
    "matches",
    "option_env",
    "panic",
    "pin",
    "print",
    "println",
    "select",
    "stringify",
    "todo",
    "try_join",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];
/// Attributes of `main` that start a runtime and nothing else.
const RUNTIMES: &[&str] = &["tokio", "actix_web", "actix_rt", "async_std", "ntex", "smol", "compio", "actix"];

/// All that a service's binary may run.
pub fn reach<'w>(workspace: &'w Workspace, service: &Service) -> Option<&'w Reach> {
    workspace.reach.get(&workspace.binary(service)?)
}

/// Log lines that the service itself writes, through `tracing` or `log`.
pub fn lines<'w>(workspace: &'w Workspace, service: &Service) -> Vec<Node<'w>> {
    let is_facade = |node: &Node<'w>| match node.definition() {
        Definition::External(path) => {
            path.split_once("::").is_some_and(|(owner, name)| matches!(owner, "tracing" | "log") && !name.contains("::"))
        }
        // `#[macro_use] extern crate log`: nothing says whose macro it is but the dependencies.
        Definition::Unknown => {
            let depends = |name: &str| node.packages().all(|package| package.dependency(name).is_some());
            node.path().is_some_and(|path| path.len() == 1) && (depends("log") || depends("tracing")) && !depends("slog")
        }
        _ => false,
    };
    let macros = LEVELS.iter().flat_map(|name| workspace.macros(name));
    macros.filter(|node| workspace.runs(service, *node)).filter(is_facade).collect()
}

/// What a reach writes that may set the log up.
pub fn set_ups<'w>(workspace: &'w Workspace, reach: &'w Reach) -> impl Iterator<Item = Node<'w>> {
    let outside = |path: &str| {
        let (owner, rest) = path.split_once("::").unwrap_or((path, ""));
        CRATES.iter().any(|part| owner.contains(part)) || rest.split("::").any(|name| has_word(name, WORDS))
    };
    reach.expressions_where(workspace, |name| has_word(name, WORDS), outside).filter(|node| may_set_up(*node))
}

/// Whether this call may be what sets the log up: one outside the workspace that is named for it.
pub fn may_set_up(node: Node<'_>) -> bool {
    // A level is no logger.
    let is_named = |name: &str| has_word(name, WORDS) && !has_word(name, &["level", "levels"]);
    let of_crate = |name: &str| CRATES.iter().any(|part| name.contains(part));
    match node.kind() {
        ExprKind::Method { name, .. } => is_named(name) && !matches!(node.receiver().map(Node::ty), Some(Definition::Type(_))),
        ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => {
            let level = path.last().is_some_and(|name| LEVELS.contains(&&**name));
            let facade = matches!(node.definition(), Definition::External(path) if is_facade(path));
            let own = matches!(node.definition(), Definition::Type(_) | Definition::Other);
            !level && !facade && !own && path.iter().any(|name| is_named(name))
        }
        // A function that is handed on uncalled, too: `get_or_init(env_logger::init)`.
        ExprKind::Path(path) => match node.definition() {
            Definition::External(path) => {
                let (owner, rest) = path.split_once("::").unwrap_or((path, ""));
                let leaves_it = is_facade(path) || is_one_of(owner, PLAIN);
                !leaves_it && (of_crate(owner) || rest.split("::").any(is_named))
            }
            // A plain name that is not called is a variable.
            Definition::Unknown => (path.len() > 1 || is_called(node)) && path.iter().any(|name| is_named(name)),
            _ => false,
        },
        _ => false,
    }
}

fn is_called(path: Node<'_>) -> bool {
    path.parent().is_some_and(|call| matches!(call.kind(), ExprKind::Call { callee, .. } if *callee == path.id))
}

/// Whether a path of `tracing`, `log` or a middleware writes lines or carries spans, and sets nothing up.
fn is_facade(path: &str) -> bool {
    let inside = |facade: &&str| path.strip_prefix(*facade).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let name = path.rsplit("::").next().unwrap_or(path);
    let sets = name.starts_with("set_") && name != "set_max_level";
    FACADES.iter().any(inside) && !sets
}

/// Something that runs at the service's start and cannot be looked into could set the log up: a framework, a crate that is not
/// from crates.io, a macro on `main`, a file that does not parse.
pub fn is_set_up_unseen(workspace: &Workspace, service: &Service, reach: &Reach) -> bool {
    let starting = starting(workspace, service);
    let at_start = |function: &FunctionRef| workspace.body(*function).filter(|body| reach.runs(*body));
    has_unreadable(workspace, service)
        || starting.iter().any(|function| has_own_attribute(workspace, *function))
        || names_unread_crate(workspace, reach)
        || starting.iter().filter_map(at_start).flat_map(Node::descendants).any(is_not_plain)
}

/// Whether it names something of a crate that is not from crates.io, and is not known to leave the log alone.
pub fn names_unread_crate(workspace: &Workspace, reach: &Reach) -> bool {
    let dependencies = workspace.packages.iter().flat_map(|package| &package.dependencies);
    let unread = dependencies.filter(|known| known.local.is_none() && !known.published);
    let unread: HashSet<String> = unread.map(|known| known.package.replace('-', "_")).collect();
    let of_unread = |path: &str| unread.contains(path.split("::").next().unwrap_or_default());
    !unread.is_empty() && reach.expressions_where(workspace, |_| false, of_unread).any(is_of_unread_crate)
}

/// Whether a file does not parse in one of the packages that the service is built of.
fn has_unreadable(workspace: &Workspace, service: &Service) -> bool {
    let crates = workspace.binary(service).map(|binary| workspace.names.reach(binary)).unwrap_or_default();
    let packages = crates.into_iter().map(|krate| &workspace.packages[workspace.names.crates[krate].package]);
    let directories: Vec<_> = packages.map(|package| &package.directory).collect();
    let files = workspace.problems.iter().map(|problem| workspace.sources.path(problem.location.file));
    files
        .filter(|path| path.extension() == Some("rs"))
        .any(|path| directories.iter().any(|directory| path.starts_with(directory)))
}

/// Functions on the way from `main` to where the service serves.
fn starting(workspace: &Workspace, service: &Service) -> HashSet<FunctionRef> {
    let serving = service.evidence.iter().filter_map(|found| function_at(workspace, found.at));
    let mut found = workspace.graph.leading_to(workspace, serving);
    found.extend(main(workspace, service));
    found
}

/// The service's `main`.
pub fn main(workspace: &Workspace, service: &Service) -> Option<FunctionRef> {
    let root = &workspace.names.modules[workspace.names.crates[workspace.binary(service)?].root];
    let functions = reach(workspace, service)?.functions().iter().copied();
    let mut named = functions.filter(|function| {
        let item = workspace.function(*function);
        let launched = item.attributes.iter().any(|attribute| attribute.path.last().is_some_and(|name| **name == *"launch"));
        function.file() == root.file && item.owner.is_none() && (launched || &*item.name == "main")
    });
    named.next()
}

fn has_own_attribute(workspace: &Workspace, function: FunctionRef) -> bool {
    let item = workspace.function(function);
    let starts = |path: &[crate::workspace::rust::Name]| match path {
        [runtime, main] => matches!(&**main, "main" | "launch") && !RUNTIMES.contains(&&**runtime),
        [only] => &**only == "launch",
        _ => false,
    };
    item.attributes.iter().any(|attribute| starts(&attribute.path))
}

fn is_of_unread_crate(node: Node<'_>) -> bool {
    if !matches!(node.kind(), ExprKind::Path(_) | ExprKind::Macro { .. } | ExprKind::Struct { .. }) {
        return false;
    }
    let Some(path) = node.external().filter(|path| !is_plain(path)) else { return false };
    let owner = path.split("::").next().unwrap_or_default();
    let is_it = |package: &str| package.replace('-', "_") == owner;
    node.packages().any(|package| {
        package.dependencies.iter().any(|known| known.local.is_none() && !known.published && is_it(&known.package))
    })
}

/// A call of a crate that is not known to leave the log alone, or a macro that nobody knows.
pub fn is_not_plain(node: Node<'_>) -> bool {
    let unknown_macro = match node.kind() {
        ExprKind::Call { .. } => false,
        ExprKind::Macro { path, .. } => path.last().is_none_or(|name| !LEVELS.contains(&&**name) && !MACROS.contains(&&**name)),
        _ => return false,
    };
    match node.definition() {
        Definition::External(path) => !is_plain(path),
        _ => unknown_macro,
    }
}

/// Whether it belongs to a crate that leaves the log alone, or leaves it to its caller.
fn is_plain(path: &str) -> bool {
    let owner = path.split("::").next().unwrap_or_default();
    is_one_of(owner, PLAIN) || is_one_of(owner, LOG_CRATES)
}

fn is_one_of(owner: &str, known: &[&str]) -> bool {
    known.iter().any(|known| owner == *known || known.strip_suffix('*').is_some_and(|start| owner.starts_with(start)))
}

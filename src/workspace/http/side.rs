//! Servers that callers do not come for: beside the one that they do come for, or where nothing else is at work.

use super::Server;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

/// Words in the names of functions and modules that start a second server, which is not for callers.
const SIDE: &[&str] = &["admin", "debug", "monitor", "telemetry", "console", "internal"];
/// Likewise, of one that nobody waits for, even where it is the only one.
const PROBES: &[&str] = &["metric", "health", "prometheus", "probe", "pprof", "profiler"];
/// Names of modules that stand in for something, where nothing else is at work.
const STAND_INS: &[&str] = &["fake", "mock", "mocks", "sim", "simulation", "simulator", "stub"];
/// Methods of a router whose value answers what it answered before.
const KEEPING: &[&str] = &["into_make_service", "into_make_service_with_connect_info", "layer", "with_state"];
/// Methods by which an application of actix-web comes to answer something.
const ANSWERING: &[&str] = &["configure", "default_service", "external_resource", "route", "service"];
/// Local names that are followed from a server to what it serves.
const MAX_FOLLOWED: usize = 4;

/// By the names of the function that starts it, and of its modules.
pub fn is_side(workspace: &Workspace, server: &Server) -> bool {
    is_started_for_side(workspace, server)
        || workspace.node(server.place).arguments().any(|argument| is_made_by(argument, is_side_name))
}

/// By what makes what it serves: probes, files, or nothing at all.
pub fn is_for_nobody(workspace: &Workspace, server: &Server) -> bool {
    workspace.node(server.place).arguments().any(|argument| is_made_by(argument, is_probe_name) || answers_nobody(argument))
}

fn is_probe_name(name: &str) -> bool {
    PROBES.iter().any(|word| name.to_ascii_lowercase().contains(word))
}

fn is_side_name(name: &str) -> bool {
    is_probe_name(name) || SIDE.iter().any(|word| name.to_ascii_lowercase().contains(word))
}

fn is_started_for_side(workspace: &Workspace, server: &Server) -> bool {
    let Some(function) = server.function else { return false };
    let item = workspace.function(function);
    let module = workspace.names.modules_of(function.file(), item.module).first();
    let modules = std::iter::successors(module.copied(), |&module| workspace.names.modules[module].parent);
    let mut modules = modules.map(|module| &*workspace.names.modules[module].name);
    let owner = item.owner.iter().flat_map(|owner| owner.iter()).any(|name| is_side_name(name));
    owner || is_side_name(&item.name) || modules.any(|name| is_side_name(name) || STAND_INS.contains(&name))
}

/// Whether a function of such a name makes it: `axum::serve(listener, metrics::router())`.
fn is_made_by(argument: Node<'_>, named: fn(&str) -> bool) -> bool {
    let mut node = argument.peel();
    for _ in 0..MAX_FOLLOWED {
        while let Some(receiver) = node.receiver().filter(|_| node.method().is_some_and(|name| KEEPING.contains(&name))) {
            node = receiver.peel();
        }
        match node.binding() {
            Some(value) => node = value.peel(),
            None => break,
        }
    }
    // The function, and the module or type that it is of.
    let names = node.path().filter(|_| matches!(node.kind(), ExprKind::Call { .. }));
    names.is_some_and(|names| names.iter().rev().take(2).any(|name| named(name)))
}

/// `HttpServer::new(|| App::new().service(Files::new("/", "ui")))`: files alone, or nothing at all.
fn answers_nobody(argument: Node<'_>) -> bool {
    let ExprKind::Closure { body, .. } = argument.peel().kind() else { return false };
    let mut app = argument.with(*body).peel();
    if let ExprKind::Block(parts) = app.kind() {
        let Some(last) = parts.last() else { return false };
        app = app.with(*last).peel();
    }
    let answers = |node: Node<'_>| node.method().is_some_and(|name| ANSWERING.contains(&name)) && !node.arguments().all(is_files);
    let is_app = |node: Node<'_>| node.path().is_some_and(|path| path.ends_with(&["App".into(), "new".into()]));
    !app.receivers().any(answers) && app.receivers().last().is_some_and(is_app)
}

/// `Files::new("/", "ui").index_file("index.html")`.
fn is_files(argument: Node<'_>) -> bool {
    let made = argument.peel().receivers().last().and_then(Node::path);
    made.is_some_and(|path| path.ends_with(&["Files".into(), "new".into()]))
}

//! What runs for each request: handlers of routes, methods of gRPC services, and the functions that they call.

use std::collections::{HashMap, VecDeque};

use crate::workspace::graph::Target;
use crate::workspace::http::{Purpose, Route, Served, purpose};
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::Function;
use crate::workspace::{Service, Workspace};

/// Calls that are followed from a handler to what should not be there.
const MAX_CALLS: usize = 2;
/// The same, to what a handler leads to at all.
const MAX_FOLLOWED: usize = 3;

/// Functions that run for each request, with the handler that comes to them and the calls from it; `follow` says which
/// mentions of a function count.
pub fn per_request_functions(
    workspace: &Workspace,
    service: &Service,
    follow: &dyn Fn(Node<'_>) -> bool,
) -> HashMap<FunctionRef, (FunctionRef, usize)> {
    let Some(served) = workspace.served(service) else { return HashMap::new() };
    let mut found: HashMap<FunctionRef, (FunctionRef, usize)> = HashMap::new();
    let mut open: VecDeque<_> = handlers(workspace, &served).map(|handler| (handler, handler, 0)).collect();
    while let Some((function, handler, calls)) = open.pop_front() {
        if found.contains_key(&function) {
            continue;
        }
        found.insert(function, (handler, calls));
        if calls == MAX_CALLS || workspace.function(function).name.contains("cache") {
            continue;
        }
        for mention in workspace.graph.of(workspace, function) {
            let Target::Function(called) = mention.of else { continue };
            let at = Node { workspace, file: function.file(), id: mention.at };
            if workspace.runs(service, at) && follow(at) {
                open.push_back((called, handler, calls + 1));
            }
        }
    }
    found
}

/// Handlers of routes, save those of streams, and methods of gRPC services.
pub fn handlers<'w>(workspace: &'w Workspace, served: &Served<'w>) -> impl Iterator<Item = FunctionRef> {
    let routed =
        served.routes.iter().filter(|route| !served.opens_streams(route)).flat_map(|route| route.handlers.iter().copied());
    routed.chain(served.reach.functions().iter().copied().filter(|&function| is_rpc(workspace, function)))
}

/// Functions that a handler certainly comes to, itself first.
pub fn reached_from(workspace: &Workspace, service: &Service, handler: FunctionRef) -> Vec<FunctionRef> {
    let mut found = vec![handler];
    let mut open = VecDeque::from([(handler, 0)]);
    while let Some((function, calls)) = open.pop_front() {
        for mention in workspace.graph.of(workspace, function).iter().filter(|_| calls < MAX_FOLLOWED) {
            let Target::Function(called) = mention.of else { continue };
            let at = Node { workspace, file: function.file(), id: mention.at };
            if workspace.runs(service, at) && !found.contains(&called) {
                found.push(called);
                open.push_back((called, calls + 1));
            }
        }
    }
    found
}

/// Whether a route is for health checks and scrapes alone.
fn is_operational(route: &Route) -> bool {
    !route.paths.is_empty() && route.paths.iter().all(|path| matches!(purpose(path), Purpose::Health | Purpose::Metrics))
}

/// Whether a function answers health checks and scrapes alone.
pub fn is_probe(served: &Served<'_>, handler: FunctionRef) -> bool {
    served.routes.iter().any(|route| is_operational(route) && route.handlers.contains(&handler))
}

/// Whether all routes that are seen are for health checks and scrapes: a worker's.
pub fn serves_probes_only(served: &Served<'_>) -> bool {
    !served.routes.is_empty() && served.routes.iter().all(|route| is_operational(route))
}

/// A method of a gRPC service: of a trait, taking tonic's `Request`.
pub fn is_rpc(workspace: &Workspace, function: FunctionRef) -> bool {
    let item: &Function = workspace.function(function);
    let Some(&module) = workspace.names.modules_of(function.file(), item.module).first() else { return false };
    let is_request = |ty| {
        let meaning = workspace.type_meaning(module, ty, None);
        matches!(meaning, Definition::External(path) if path == "tonic::Request")
    };
    item.of_trait.is_some()
        && item.parameters.iter().any(|parameter| is_request(&parameter.ty))
        && item.parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"))
        && &*item.name != "call"
}

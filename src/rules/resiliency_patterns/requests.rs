//! What runs for each request: handlers of routes, methods of gRPC services, and the functions that they call.

use std::collections::{HashMap, VecDeque};

use crate::workspace::graph::Target;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::Function;
use crate::workspace::{Service, Workspace};

/// Calls that are followed from a handler.
const MAX_CALLS: usize = 2;

/// Functions that run for each request, with the handler that comes to them and the calls from it; `follow` says which
/// mentions of a function count.
pub fn per_request_functions(
    workspace: &Workspace,
    service: &Service,
    follow: &dyn Fn(Node<'_>) -> bool,
) -> HashMap<FunctionRef, (FunctionRef, usize)> {
    let Some(served) = workspace.served(service) else { return HashMap::new() };
    let routed =
        served.routes.iter().filter(|route| !served.opens_streams(route)).flat_map(|route| route.handlers.iter().copied());
    let methods = served.reach.functions().iter().copied().filter(|&function| is_rpc(workspace, function));
    let mut found: HashMap<FunctionRef, (FunctionRef, usize)> = HashMap::new();
    let mut open: VecDeque<_> = routed.chain(methods).map(|handler| (handler, handler, 0)).collect();
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
            let at = Node { workspace, file: function.file, id: mention.at };
            if workspace.runs(service, at) && follow(at) {
                open.push_back((called, handler, calls + 1));
            }
        }
    }
    found
}

/// A method of a gRPC service: of a trait, taking tonic's `Request`.
pub fn is_rpc(workspace: &Workspace, function: FunctionRef) -> bool {
    let item: &Function = workspace.function(function);
    let Some(&module) = workspace.names.modules_of(function.file, item.module).first() else { return false };
    let is_request = |ty| {
        let meaning = workspace.type_meaning(module, ty, None);
        matches!(meaning, Definition::External(path) if path == "tonic::Request")
    };
    item.of_trait.is_some()
        && item.parameters.iter().any(|parameter| is_request(&parameter.ty))
        && item.parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"))
        && &*item.name != "call"
}

//! tower's layers, and the axum routers that they are put around.

use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

/// Bindings that a chain of methods is followed through.
const MAX_DEPTH: usize = 8;

/// Methods that put something around requests.
pub const APPLY: &[&str] =
    &["layer", "route_layer", "wrap", "wrap_fn", "with", "hoop", "around", "attach", "service", "push", "and_then", "middleware"];

/// Layers of tower that limit, each limiting the service it is put around and nothing else.
pub const LIMITS: &[&str] = &[
    "tower::limit::ConcurrencyLimitLayer::new",
    "tower::limit::concurrency::ConcurrencyLimitLayer::new",
    "tower::limit::RateLimitLayer::new",
    "tower::limit::rate::RateLimitLayer::new",
];

/// What a chain of methods begins with.
pub fn root(node: Node<'_>) -> Node<'_> {
    root_within(node, MAX_DEPTH)
}

fn root_within(node: Node<'_>, depth: usize) -> Node<'_> {
    let mut node = node.peel();
    while let Some(receiver) = node.receiver() {
        node = receiver.peel();
    }
    match (node.binding(), depth.checked_sub(1)) {
        (Some(value), Some(depth)) => root_within(value, depth),
        _ => node,
    }
}

/// Methods of the chain that ends in `node`, the first called first; through local names.
pub fn chain(node: Node<'_>) -> Vec<Node<'_>> {
    let mut methods = Vec::new();
    let mut open = Some((node.peel(), MAX_DEPTH));
    while let Some((node, depth)) = open {
        open = match node.receiver() {
            Some(receiver) => {
                methods.push(node);
                Some((receiver.peel(), depth))
            }
            None => node.binding().zip(depth.checked_sub(1)).map(|(value, depth)| (value.peel(), depth)),
        };
    }
    methods.reverse();
    methods
}

/// Whether a chain of methods builds a stack of layers.
pub fn is_stack(node: Node<'_>) -> bool {
    root(node).external().is_some_and(|path| path.ends_with("ServiceBuilder::new"))
}

/// Whether a chain of methods builds an axum router.
pub fn is_router(node: Node<'_>) -> bool {
    let is_type = |path: &str| matches!(path, "axum::Router" | "axum::routing::Router");
    matches!(root(node).ty(), Definition::External(path) if is_type(path))
}

/// Whether a chain of methods begins with `get(list)` or another of axum's handlers by method.
fn is_method_router(node: Node<'_>) -> bool {
    root(node).external().is_some_and(|path| {
        let (module, name) = path.rsplit_once("::").unwrap_or_default();
        matches!(module, "axum::routing" | "axum::routing::method_routing") && name.chars().all(|c| c.is_ascii_lowercase())
    })
}

/// Where the layer that this makes is put around an axum router: the calls of the router's `layer` or `route_layer`.
pub fn router_layers(layer: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut open = vec![(layer, MAX_DEPTH)];
    while let Some((node, depth)) = open.pop() {
        for taker in node.fate(&|_| true).given {
            if !matches!(taker.method(), Some("layer" | "route_layer" | "option_layer")) {
                continue;
            }
            let Some(receiver) = taker.receiver() else { continue };
            if is_router(receiver) {
                found.push(taker);
            } else if is_method_router(receiver) {
                // `.route("/", get(list).layer(…))` is finished with the router that takes it.
                found.extend(taker.fate(&|_| true).given.into_iter().filter(|route| route.method() == Some("route")));
            } else if let (true, Some(depth)) = (is_stack(receiver), depth.checked_sub(1)) {
                open.push((taker, depth));
            }
        }
    }
    found
}

/// What happens to a router after this call, into the routers that it is merged into or nested in.
pub fn later(router: Node<'_>) -> (Vec<Node<'_>>, Vec<Node<'_>>) {
    let (mut methods, mut given) = (Vec::new(), Vec::new());
    let mut open = vec![(router, MAX_DEPTH)];
    while let Some((node, depth)) = open.pop() {
        let fate = node.fate(&|_| true);
        methods.extend(fate.methods);
        for taker in fate.given {
            let joins = matches!(taker.method(), Some("merge" | "nest" | "nest_service" | "fallback_service"));
            if let (true, Some(depth)) = (joins, depth.checked_sub(1)) {
                open.push((taker, depth));
            }
            given.push(taker);
        }
    }
    (methods, given)
}

/// Whether this expression, or a function of the workspace that its chain begins with, calls `method`.
pub fn has_called(node: Node<'_>, method: &str) -> bool {
    let calls = |node: Node<'_>| node.descendants().any(|part| part.method() == Some(method));
    let root = root(node);
    let body = match (root.kind(), root.definition()) {
        (ExprKind::Call { .. }, Definition::Function(function)) => node.workspace.body(function),
        _ => None,
    };
    chain(node).into_iter().any(calls) || body.is_some_and(calls)
}

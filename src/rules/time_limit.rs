//! Whether something bounds how long an expression may take.

use std::collections::HashSet;

use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

/// Callers of callers of … are looked at this far.
const MAX_DEPTH: usize = 8;

/// Whether a call named for a timeout stands around this expression, or a `select!` with a sleep: in its own function, also
/// where the future is bound to a name first, or around every call of that function.
pub fn is_bounded(node: Node<'_>) -> bool {
    is_bounded_within(node, MAX_DEPTH, &mut HashSet::new())
}

/// `timeout`, `with_timeout`, `timeout_at`; not the limit of a part, such as `connect_timeout`.
pub fn names_limit(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("timeout") && !["connect", "idle", "keep_alive", "keepalive", "tcp_user"].iter().any(|part| name.contains(part))
}

fn is_bounded_within(node: Node<'_>, depth: usize, seen: &mut HashSet<FunctionRef>) -> bool {
    if node.ancestors().any(limits) {
        return true;
    }
    let lazy = node.ancestors().filter(|ancestor| matches!(ancestor.kind(), ExprKind::Async(_) | ExprKind::Closure { .. }));
    if std::iter::once(node).chain(lazy).any(is_bounded_by_name) {
        return true;
    }
    let (Some(function), Some(depth)) = (node.function(), depth.checked_sub(1)) else { return false };
    // Whoever came here before asks its callers.
    if !seen.insert(function) {
        return true;
    }
    let mut calls = node.workspace.results_of(function).into_iter().filter(|call| call.ships()).peekable();
    calls.peek().is_some() && calls.all(|call| is_bounded_within(call, depth, seen))
}

/// `let request = client.get(url).send();`, and `timeout(limit, request)` later.
fn is_bounded_by_name(future: Node<'_>) -> bool {
    let mut below = std::iter::once(future).chain(future.ancestors());
    let bound = below.by_ref().find(|node| matches!(node.kind(), ExprKind::Let { .. } | ExprKind::Await(_)));
    let Some(ExprKind::Let { names, .. }) = bound.map(Node::kind) else { return false };
    let body = future.function().and_then(|function| future.workspace.body(function));
    let later = body.into_iter().flat_map(Node::descendants).filter(|node| node.id > future.id);
    let mut uses = later.filter(|node| node.variable().is_some_and(|name| names.iter().any(|bound| &**bound == name)));
    uses.any(|used| used.ancestors().any(limits))
}

fn limits(node: Node<'_>) -> bool {
    let name = node.last_name().unwrap_or_default();
    match node.kind() {
        ExprKind::Call { .. } | ExprKind::Method { .. } => names_limit(name),
        ExprKind::Macro { .. } => {
            let sleeps = |part: Node<'_>| {
                let called = part.path().and_then(<[_]>::last).map(|name| &**name);
                called.is_some_and(|name| name.starts_with("sleep") || names_limit(name))
            };
            matches!(name, "select" | "select_biased") && node.descendants().any(sleeps)
        }
        _ => false,
    }
}

//! Loops of attempts: the same call again after a failure.

use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

/// A call that is awaited, and where the workspace awaits the function that it stands in: a helper is repeated with what it does.
pub fn awaited(call: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let workspace = call.workspace;
    let is_call = |node: &Node<'_>| matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. });
    let awaited = |node: Node<'_>| node.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Await(_)));
    let direct = Some(call).filter(|call| awaited(*call));
    let around = direct.and_then(Node::function).into_iter();
    let callers = around.flat_map(move |function| workspace.graph.callers(workspace, function));
    direct.into_iter().chain(callers.filter(move |caller| is_call(caller) && awaited(*caller) && caller.ships()))
}

/// Where a function of the workspace awaits the closure around a call that it is handed: `retry(3, || client.get(url).send())`.
pub fn handed_over(call: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let closure = call.ancestors().find(|node| matches!(node.kind(), ExprKind::Closure { .. }));
    let uses = closure.and_then(|closure| closure.parent()?.parameter_of(closure)).into_iter().flatten();
    uses.filter_map(|used| {
        let is_callee = |parent: &Node<'_>| matches!(parent.kind(), ExprKind::Call { callee, .. } if *callee == used.id);
        let called = used.parent().filter(is_callee)?;
        matches!(called.parent()?.kind(), ExprKind::Await(_)).then_some(called)
    })
}

/// The loop around a call that counts attempts.
pub fn attempts_around(call: Node<'_>) -> Option<Node<'_>> {
    for node in call.ancestors() {
        match node.kind() {
            ExprKind::Closure { .. } | ExprKind::Async(_) => return None,
            ExprKind::Loop(_) => return Some(node).filter(|node| node.descendants().any(counts)),
            ExprKind::While { condition, .. } => {
                return Some(node).filter(|node| node.with(*condition).descendants().any(counts));
            }
            ExprKind::For { names, over, .. } => {
                // `0..3`
                let first = node.with(*over).children().next();
                let is_range = first.is_some_and(|first| matches!(first.kind(), ExprKind::Literal(Literal::Int(_))));
                let counted = names.iter().any(|name| is_count(name)) || node.with(*over).descendants().any(counts);
                return Some(node).filter(|_| is_range && counted);
            }
            _ => {}
        }
    }
    None
}

fn counts(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Path(path) => path.last().is_some_and(|name| is_count(name)),
        ExprKind::Field { name, .. } => is_count(name),
        _ => false,
    }
}

fn is_count(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["attempt", "retry", "retries", "tries"].iter().any(|word| name.contains(word))
}

/// Whether a failure leads to the next round: `?` on the call leaves the loop, and so does an arm that always does.
pub fn goes_on<'w>(call: Node<'w>, attempts: Node<'w>) -> bool {
    let mut node = call;
    for parent in call.ancestors().take_while(|parent| parent.id != attempts.id) {
        match parent.kind() {
            ExprKind::Try(_) => return false,
            ExprKind::Match { on, arms } if *on == node.id => {
                let failing: Vec<_> = arms.iter().map(|arm| parent.with(*arm)).filter(|arm| is_failure(*arm)).collect();
                return failing.is_empty() || !failing.into_iter().all(always_leaves);
            }
            ExprKind::Method { name, .. } if matches!(&**name, "unwrap" | "expect") => return false,
            _ => {}
        }
        node = parent;
    }
    true
}

/// Whether a success can end the loop before its last round: what always goes on is no retry.
pub fn may_end(attempts: Node<'_>) -> bool {
    let leaves = |node: Node<'_>| match node.kind() {
        ExprKind::Return(_) => true,
        // `break` is just its parts.
        ExprKind::Other(parts) => parts.len() <= 1,
        _ => false,
    };
    matches!(attempts.kind(), ExprKind::While { .. }) || attempts.descendants().any(leaves)
}

/// `Err(error)`, and `_`: whatever is not said to be a success.
fn is_failure(arm: Node<'_>) -> bool {
    matches!(arm.kind(), ExprKind::Arm { variant, .. } if variant.last().is_none_or(|name| &**name != "Ok"))
}

/// The last thing an arm does is to leave, whatever came before.
fn always_leaves(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Arm { body, .. } => always_leaves(node.with(*body)),
        ExprKind::Block(statements) => statements.last().is_some_and(|last| always_leaves(node.with(*last))),
        ExprKind::Return(_) => true,
        ExprKind::Macro { path, .. } => path.last().is_some_and(|name| matches!(&**name, "bail" | "panic" | "unreachable")),
        ExprKind::If { then, otherwise: Some(otherwise), .. } => {
            always_leaves(node.with(*then)) && always_leaves(node.with(*otherwise))
        }
        // `break` is just its parts; `continue`, too, which is left alone with it.
        ExprKind::Other(parts) => parts.len() <= 1,
        _ => false,
    }
}

//! Whether a setting decides that code runs, as against the code itself.

use crate::rules::words::has_word;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprId, ExprKind, Literal};

/// Callers of callers of … are looked at this far.
const MAX_DEPTH: usize = 4;

/// Whether code stands under a condition that asks for one of `words`, for the environment or for how it was built: around it,
/// before it (`if verify { return … }`), or around every call of its function.
pub fn is_chosen(node: Node<'_>, words: &[&str]) -> bool {
    is_chosen_within(node, words, MAX_DEPTH)
}

fn is_chosen_within(node: Node<'_>, words: &[&str], depth: usize) -> bool {
    let mut inner = node;
    for ancestor in node.ancestors() {
        if decides(ancestor, inner.id, words) {
            return true;
        }
        inner = ancestor;
    }
    let (Some(function), Some(depth)) = (node.function(), depth.checked_sub(1)) else { return false };
    let is_for_some = |path: &[crate::workspace::rust::Name]| path.last().is_some_and(|name| &**name == "cfg");
    if node.workspace.function(function).attributes.iter().any(|attribute| is_for_some(&attribute.path)) {
        return true;
    }
    let mut calls = node.workspace.results_of(function).into_iter().filter(|call| call.ships()).peekable();
    calls.peek().is_some() && calls.all(|call| is_chosen_within(call, words, depth))
}

/// Whether `ancestor` runs its part `inner` only when a setting says so.
fn decides(ancestor: Node<'_>, inner: ExprId, words: &[&str]) -> bool {
    match ancestor.kind() {
        ExprKind::If { condition, .. } => *condition != inner && asks(ancestor.with(*condition), words),
        ExprKind::Match { on, .. } => *on != inner && asks(ancestor.with(*on), words),
        ExprKind::Arm { variant, guard, .. } => {
            variant.iter().any(|name| has_word(name, words)) || guard.is_some_and(|guard| asks(ancestor.with(guard), words))
        }
        // `(!verify).then(|| …)`
        ExprKind::Method { receiver, name, .. } if matches!(&**name, "then" | "then_some" | "map_or" | "map") => {
            *receiver != inner && asks(ancestor.with(*receiver), words)
        }
        ExprKind::Block(statements) => {
            let before = statements.iter().take_while(|id| **id != inner).map(|id| ancestor.with(*id));
            before.into_iter().any(|statement| match statement.kind() {
                ExprKind::If { condition, then, .. } => {
                    let leaves = |node: Node<'_>| matches!(node.kind(), ExprKind::Return(_));
                    asks(statement.with(*condition), words) && statement.with(*then).descendants().any(leaves)
                }
                _ => false,
            })
        }
        _ => false,
    }
}

fn asks(condition: Node<'_>, words: &[&str]) -> bool {
    condition.descendants().any(|node| match node.kind() {
        ExprKind::Path(path) => path.iter().any(|name| has_word(name, words) || matches!(&**name, "var" | "var_os" | "env")),
        ExprKind::Field { name, .. } | ExprKind::Method { name, .. } => has_word(name, words),
        ExprKind::Macro { path, .. } => path.last().is_some_and(|name| matches!(&**name, "cfg" | "env" | "option_env")),
        ExprKind::Literal(Literal::Str(text)) => has_word(text, words),
        _ => false,
    })
}

//! What short pieces of code mean: a duration, a value whose error was taken away, an address of this machine.

use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

/// A `Duration` that is written down, in milliseconds: by a literal, a local name or a constant of the same file.
pub fn millis(node: Node<'_>) -> Option<u64> {
    let value = node.peel();
    let named = || {
        let name = value.variable()?;
        let constant = value.facts().constants.iter().find(|constant| &*constant.name == name)?;
        Some(value.with(constant.value?))
    };
    let value = value.binding().or_else(named).unwrap_or(value);
    let value = if is_some(value) { value.arguments().next()? } else { value };
    let unit = match value.external()?.strip_prefix("std::time::Duration::")? {
        "from_secs" => 1000,
        "from_millis" => 1,
        "from_mins" => 60_000,
        _ => return None,
    };
    match value.arguments().next()?.kind() {
        ExprKind::Literal(Literal::Int(Some(number))) => number.checked_mul(unit),
        _ => None,
    }
}

fn is_some(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Call { .. }) && node.last_name() == Some("Some")
}

/// The expression that holds the value once `?`, `unwrap` or `expect` have taken the error away; `None` where nothing does.
pub fn unwrapped(call: Node<'_>) -> Option<Node<'_>> {
    let mut node = call;
    let mut taken = None;
    while let Some(parent) = node.parent() {
        match parent.kind() {
            ExprKind::Try(_) => taken = Some(parent),
            ExprKind::Method { receiver, name, .. } if *receiver == node.id => match &**name {
                "unwrap" | "expect" => taken = Some(parent),
                "context" | "with_context" | "map_err" | "wrap_err" => {}
                _ => break,
            },
            _ => break,
        }
        node = parent;
    }
    taken
}

/// Whether a text names this machine: what listens there is near, and part of the same deployment.
pub fn names_this_machine(text: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| text.contains(host))
}

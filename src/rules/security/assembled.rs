//! A text that is put together: by `format!`, `+`, `push_str` and `write!`.

use super::interpolated::{Value, holes};
use crate::workspace::query::{Node, hands_on};
use crate::workspace::rust::ExprKind;

/// Something that is put into the text.
pub struct Part<'w> {
    /// What puts it there.
    pub at: Node<'w>,
    /// The text in front of it, as far as it is known.
    pub before: String,
    pub value: Value<'w>,
    /// The template that a [`Value::Name`] stands in.
    pub template: &'w str,
}

/// What a text takes in that begins with this literal, and all of it as an expression.
pub fn assembled(start: Node<'_>) -> (Node<'_>, Vec<Part<'_>>) {
    let formatted = start.parent().filter(|parent| is_format(*parent) && template(*parent) == start.text());
    let mut whole = formatted.unwrap_or(start);
    let mut before = start.text().unwrap_or_default().to_owned();
    let mut parts = formatted.map(|format| added(format, "")).unwrap_or_default();
    while let Some(parent) = whole.parent() {
        match parent.kind() {
            ExprKind::Method { receiver, name, .. } if *receiver == whole.id && hands_on(name) => {}
            ExprKind::Call { .. } if parent.last_name() == Some("from") => {}
            // `"SELECT … ORDER BY ".to_owned() + &sort`
            ExprKind::Binary { left, right } if *left == whole.id => {
                let right = parent.with(*right);
                parts.extend(added(right, &before));
                before.push_str(right.peel().text().unwrap_or("\u{fffc}"));
            }
            _ => break,
        }
        whole = parent;
    }
    parts.extend(whole.uses().into_iter().flat_map(appended));
    (whole, parts)
}

/// What is appended to the text where it is used by its name.
fn appended(used: Node<'_>) -> Vec<Part<'_>> {
    let used = used.parent().filter(|parent| matches!(parent.kind(), ExprKind::Reference(_))).unwrap_or(used);
    let Some(parent) = used.parent() else { return Vec::new() };
    match parent.kind() {
        ExprKind::Method { receiver, name, arguments, .. } if *receiver == used.id && &**name == "push_str" => {
            arguments.iter().flat_map(|argument| added(parent.with(*argument), "")).collect()
        }
        // `statement += &sort`
        ExprKind::Binary { left, right } if *left == used.id => added(parent.with(*right), ""),
        ExprKind::Macro { .. } if matches!(parent.last_name(), Some("write" | "writeln")) => formatted(parent, ""),
        _ => Vec::new(),
    }
}

/// What an expression that is added to a text takes in: the parts of a `format!`, none of a literal, else itself.
fn added<'w>(node: Node<'w>, before: &str) -> Vec<Part<'w>> {
    let value = node.peel();
    match value.kind() {
        ExprKind::Literal(_) => Vec::new(),
        _ if is_format(value) => formatted(value, before),
        _ => vec![Part { at: node, before: before.to_owned(), value: Value::Expr(value), template: "" }],
    }
}

fn formatted<'w>(call: Node<'w>, before: &str) -> Vec<Part<'w>> {
    let Some((template, holes)) = holes(call) else { return Vec::new() };
    let part = |hole: super::interpolated::Hole<'w>| Part {
        at: call,
        before: format!("{before}{}", hole.before),
        value: hole.value,
        template,
    };
    holes.into_iter().map(part).collect()
}

fn is_format(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Macro { .. }) && node.last_name() == Some("format")
}

fn template(format: Node<'_>) -> Option<&str> {
    format.arguments().find_map(Node::text)
}

//! What a format string takes in, and where.

use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

/// One `{…}` of a format string.
pub struct Hole<'w> {
    /// The text in front of it, from the start of the string.
    pub before: String,
    pub value: Value<'w>,
    /// `{:?}`.
    pub debug: bool,
}

/// What stands in a hole.
#[derive(Clone, Copy)]
pub enum Value<'w> {
    Expr(Node<'w>),
    /// `{name}`, at the macro.
    Name(Node<'w>, usize, usize),
}

impl<'w> Value<'w> {
    /// The name alone, of `{name}` and of an argument that is a plain variable.
    pub fn variable(self, template: &'w str) -> Option<&'w str> {
        match self {
            Self::Expr(node) => node.variable(),
            Self::Name(_, start, end) => template.get(start..end),
        }
    }
}

/// The template among the arguments of a formatting macro, and its holes.
pub fn holes<'w>(call: Node<'w>) -> Option<(&'w str, Vec<Hole<'w>>)> {
    let arguments: Vec<Node<'w>> = call.arguments().collect();
    let position = arguments.iter().position(|argument| argument.text().is_some())?;
    let template = arguments[position].text()?;
    let (named, plain): (Vec<Node<'w>>, Vec<Node<'w>>) =
        arguments[position + 1..].iter().copied().partition(|argument| matches!(argument.kind(), ExprKind::Assign { .. }));
    let by_name = |name: &str| {
        named.iter().find_map(|argument| match argument.kind() {
            ExprKind::Assign { left, right } if argument.with(*left).variable() == Some(name) => Some(argument.with(*right)),
            _ => None,
        })
    };
    let mut found = Vec::new();
    let mut before = String::new();
    let mut next = 0;
    let mut rest = template.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '{' | '}' if rest.peek().is_some_and(|(_, after)| *after == c) => {
                before.push(c);
                rest.next();
            }
            '{' => {
                let Some(length) = template[at..].find('}') else { break };
                let inside = &template[at + 1..at + length];
                while rest.next_if(|(position, _)| *position <= at + length).is_some() {}
                let (name, spec) = inside.split_once(':').unwrap_or((inside, ""));
                let value = match name.trim() {
                    "" => {
                        next += 1;
                        plain.get(next - 1).copied().map(Value::Expr)
                    }
                    name => match (name.parse::<usize>(), by_name(name)) {
                        (Ok(index), _) => plain.get(index).copied().map(Value::Expr),
                        (_, Some(value)) => Some(Value::Expr(value)),
                        _ => Some(Value::Name(call, at + 1, at + 1 + name.len())),
                    },
                };
                found.extend(value.map(|value| Hole { before: before.clone(), value, debug: spec.contains('?') }));
                before.push('\u{fffc}');
            }
            c => before.push(c),
        }
    }
    Some((template, found))
}

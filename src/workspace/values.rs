//! Following a value inside a function: where it comes from, and where it goes.

use super::query::{Node, Step, hands_on};
use super::rust::{ExprId, ExprKind, Literal, Name};
use super::types::TRANSPARENT;

impl<'w> Node<'w> {
    /// All that happens to this value in its function: methods called on it (and on what they return), calls it is handed
    /// to, fields it becomes, being returned. `let` bindings, assignments, blocks and branches are followed.
    pub fn flow(self) -> Vec<Step<'w>> {
        self.flow_through(&|_| true).into_iter().map(|(step, _)| step).collect()
    }

    /// The same, with the expression that holds the value at each step; what a method returns is followed only where
    /// `through` says that it still is the value.
    pub fn flow_through(self, through: &dyn Fn(&str) -> bool) -> Vec<(Step<'w>, Node<'w>)> {
        let mut steps = Vec::new();
        self.flow_into(&mut steps, &mut Vec::new(), through);
        steps
    }

    fn flow_into(self, steps: &mut Vec<(Step<'w>, Node<'w>)>, seen: &mut Vec<ExprId>, through: &dyn Fn(&str) -> bool) {
        let mut node = self;
        loop {
            if seen.contains(&node.id) {
                return;
            }
            seen.push(node.id);
            let Some(parent) = node.parent() else {
                // The body itself, or the tail of it.
                if let Some(function) = node.function() {
                    steps.push((Step::Returned(function), node));
                }
                return;
            };
            match parent.kind() {
                ExprKind::Method { receiver, name, .. } if *receiver == node.id => {
                    steps.push((Step::Method(parent), node));
                    if !hands_on(name) && !through(name) {
                        return;
                    }
                }
                ExprKind::Method { .. } | ExprKind::Macro { .. } => return steps.push((Step::Argument(parent), node)),
                ExprKind::Call { callee, .. } if *callee != node.id => {
                    steps.push((Step::Argument(parent), node));
                    // `Some(client)`, `Arc::new(client)`, `Ok(client)`: still the value.
                    if !is_wrapper(parent) {
                        return;
                    }
                }
                ExprKind::Struct { fields, .. } => {
                    if let Some((name, _)) = fields.iter().find(|(_, value)| *value == node.id) {
                        steps.push((Step::Field(parent, name), node));
                    }
                    return;
                }
                ExprKind::Return(_) => {
                    steps.extend(parent.function().map(|function| (Step::Returned(function), node)));
                    return;
                }
                // `let client = Client::new();`, `let (client, url) = (Client::new(), url);`
                ExprKind::Let { .. } | ExprKind::Other(_) => {
                    for used in node.uses() {
                        used.flow_into(steps, seen, through);
                    }
                    return;
                }
                ExprKind::Assign { left, right } => {
                    if *right == node.id
                        && let Some(name) = parent.with(*left).variable()
                    {
                        for used in parent.later_uses(name) {
                            used.flow_into(steps, seen, through);
                        }
                    }
                    return;
                }
                ExprKind::Block(statements) => {
                    if statements.last() != Some(&node.id) {
                        return;
                    }
                }
                // `LazyLock::new(|| client)`, `cell.get_or_init(|| client)`: the value of the call.
                ExprKind::Closure { .. } => match parent.parent() {
                    Some(call) if calls_for_value(call) => {
                        node = call;
                        continue;
                    }
                    // `let connect = || client; cell.get_or_init(connect); connect()`
                    _ => {
                        for used in parent.uses() {
                            match used.parent() {
                                Some(call) if matches!(call.kind(), ExprKind::Call { callee, .. } if *callee == used.id) => {
                                    call.flow_into(steps, seen, through);
                                }
                                Some(call) if calls_for_value(call) => {
                                    steps.push((Step::Argument(call), used));
                                    call.flow_into(steps, seen, through);
                                }
                                _ => {}
                            }
                        }
                        return;
                    }
                },
                ExprKind::Match { on, arms } => {
                    if *on == node.id {
                        // `Ok(answer) => …`, `Some(client) => …`
                        for arm in arms.iter().map(|arm| parent.with(*arm)) {
                            for used in arm.held() {
                                used.flow_into(steps, seen, through);
                            }
                        }
                        return;
                    }
                }
                ExprKind::If { condition, .. } => {
                    if *condition == node.id {
                        return;
                    }
                }
                ExprKind::Arm { guard, .. } => {
                    if *guard == Some(node.id) {
                        return;
                    }
                }
                ExprKind::Await(_) | ExprKind::Try(_) | ExprKind::Reference(_) | ExprKind::Async(_) => {}
                _ => return,
            }
            node = parent;
        }
    }

    /// Where this value is read by the name that a `let` gives it, alone or as one part of a tuple.
    pub fn uses(self) -> Vec<Node<'w>> {
        let Some(parent) = self.parent() else { return Vec::new() };
        match parent.kind() {
            ExprKind::Let { names, value, .. } if *value == Some(self.id) => {
                names.iter().flat_map(|name| parent.later_uses(name)).collect()
            }
            ExprKind::Other(parts) => match parent.parent().map(|binding| (binding, binding.kind())) {
                Some((binding, ExprKind::Let { names, value, .. }))
                    if *value == Some(parent.id) && names.len() == parts.len() =>
                {
                    let name = parts.iter().position(|part| *part == self.id).map(|position| &names[position]);
                    name.map(|name| binding.later_uses(name)).unwrap_or_default()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Where an arm reads what it takes out of `Ok` or `Some`, this being the arm.
    fn held(self) -> Vec<Node<'w>> {
        match self.kind() {
            ExprKind::Arm { names, variant, .. } if variant.last().is_some_and(|name| matches!(&**name, "Ok" | "Some")) => {
                let [name] = &names[..] else { return Vec::new() };
                self.descendants().filter(|node| node.variable() == Some(name)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Where `name`, bound or set by this statement, is read afterwards: later in the same block, until it is bound anew.
    fn later_uses(self, name: &str) -> Vec<Node<'w>> {
        let mut uses = Vec::new();
        let mut statement = self;
        let Some(block) = self.ancestors().find(|ancestor| {
            let found = matches!(ancestor.kind(), ExprKind::Block(_));
            if !found {
                statement = *ancestor;
            }
            found
        }) else {
            return uses;
        };
        let ExprKind::Block(statements) = block.kind() else { return uses };
        // `if let Some(x) = … { uses }`: the binding is seen inside the statement itself.
        if statement.id != self.id {
            uses.extend(statement.descendants().filter(|node| node.id > self.id && node.variable() == Some(name)));
        }
        let after = statements.iter().skip_while(|id| **id != statement.id).skip(1);
        for id in after {
            let node = block.with(*id);
            uses.extend(node.descendants().filter(|node| node.variable() == Some(name)));
            if let ExprKind::Let { names, .. } = node.kind()
                && names.iter().any(|bound| &**bound == name)
            {
                break;
            }
        }
        uses
    }

    /// The expression that a local name was bound to before this point, if a single `let` (or the last assignment in the
    /// same block) says so.
    pub fn binding(self) -> Option<Node<'w>> {
        self.binding_of(self.variable()?)
    }

    /// The same for any name at this point, such as one in a format string.
    pub fn binding_of(self, name: &str) -> Option<Node<'w>> {
        let mut inner = self;
        for ancestor in self.ancestors() {
            if let ExprKind::Block(statements) = ancestor.kind() {
                let before = statements.iter().take_while(|id| **id != inner.id);
                for id in before.collect::<Vec<_>>().into_iter().rev() {
                    let statement = ancestor.with(*id);
                    match statement.kind() {
                        ExprKind::Let { names, value, .. } if names.iter().any(|bound| &**bound == name) => {
                            return bound(statement.with((*value)?), names, name);
                        }
                        ExprKind::Assign { left, right } if statement.with(*left).variable() == Some(name) => {
                            return Some(statement.with(*right));
                        }
                        _ => {}
                    }
                }
            }
            inner = ancestor;
        }
        None
    }
}

/// What one of the names of a `let` stands for: all of the value, or its part of a tuple. What other patterns take apart is not known.
fn bound<'w>(value: Node<'w>, names: &[Name], name: &str) -> Option<Node<'w>> {
    match value.kind() {
        _ if names.len() == 1 => Some(value),
        ExprKind::Other(parts) if parts.len() == names.len() => {
            let position = names.iter().position(|bound| **bound == *name)?;
            Some(value.with(parts[position]))
        }
        _ => None,
    }
}

/// A call whose value is what its closure returns, or holds it.
fn calls_for_value(call: Node<'_>) -> bool {
    const METHODS: &[&str] = &[
        "get_or_init",
        "get_or_try_init",
        "get_or_insert_with",
        "or_insert_with",
        "unwrap_or_else",
        "or_else",
        "call_once",
        "map",
        "and_then",
        "filter_map",
        "flat_map",
        "then",
    ];
    match call.kind() {
        ExprKind::Method { name, .. } => METHODS.contains(&&**name),
        ExprKind::Call { .. } => is_wrapper(call),
        _ => false,
    }
}

/// `Some(x)`, `Ok(x)`, `Arc::new(x)`, `Box::new(x)`, …
pub(super) fn is_wrapper(call: Node<'_>) -> bool {
    match call.path() {
        Some([.., last]) if matches!(&**last, "Some" | "Ok") => true,
        Some([.., base, new]) => &**new == "new" && TRANSPARENT.contains(&&**base),
        _ => false,
    }
}

/// The text of a literal, of a constant in the same file, or of either after `.to_string()`, `String::from(…)` and kin.
pub fn constant_text(node: Node<'_>) -> Option<String> {
    let node = node.peel();
    match node.kind() {
        ExprKind::Literal(literal) => literal_text(literal),
        ExprKind::Path(path) => {
            let name = path.last()?;
            let facts = node.facts();
            let constant = facts.constants.iter().find(|constant| constant.name == *name)?;
            match &facts.expr(constant.value?).kind {
                ExprKind::Literal(literal) => literal_text(literal),
                _ => None,
            }
        }
        ExprKind::Call { .. } if node.path()?.last().is_some_and(|name| matches!(&**name, "from" | "new" | "Ok" | "Some")) => {
            constant_text(node.arguments().next()?)
        }
        _ => None,
    }
}

/// Text of a literal as a person reads it.
pub fn literal_text(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Str(text) => Some(text.to_string()),
        Literal::Int(Some(number)) => Some(number.to_string()),
        Literal::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

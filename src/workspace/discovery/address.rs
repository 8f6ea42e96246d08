//! Which port a binary listens on: from the address it binds, as far as literals, defaults and configuration say.

use super::environment::{self, Helpers};
use super::knobs::Knobs;
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::reach::Reach;
use crate::workspace::rust::{ExprKind, Literal, Name, Outline, TypeKind};
use crate::workspace::service::Found;
use crate::workspace::values::constant_text;

/// Expressions are followed through at most this many bindings, fields and calls.
const MAX_STEPS: usize = 16;

/// Outside functions whose first argument is the address to listen on. The last two segments are enough: every
/// framework has its own `TcpListener`.
const BINDERS: &[(&str, &str)] = &[
    ("TcpListener", "bind"),
    ("TcpListener", "new"),
    ("Server", "bind"),
    ("Server", "http"),
    ("axum_server", "bind"),
    ("axum_server", "bind_rustls"),
    ("axum_server", "bind_openssl"),
];

/// Methods likewise, and the crate of the value they are called on.
const BINDING_METHODS: &[&str] = &["bind", "bind_rustls", "bind_openssl", "listen", "bind_auto_h2c"];

/// Methods that take the address to serve on, of warp and tonic.
const SERVING_METHODS: &[&str] = &["run", "bind_with_graceful_shutdown", "serve", "serve_with_shutdown"];

/// Words that name a second listener, which is not for callers.
const SIDE: &[&str] = &["metric", "admin", "health", "prometheus", "debug", "internal", "probe", "pprof", "monitor", "telemetry"];

/// The traffic port. Where several ports are bound, one that is not named for metrics or health, nearest to `main`.
pub fn traffic_port(workspace: &Workspace, reached: &Reach, helpers: &Helpers, knobs: &Knobs) -> Option<Found<u16>> {
    let evaluator = Evaluator { workspace, helpers, knobs };
    let may_bind = |outline: &Outline| {
        let binds = |path: &[Name]| matches!(path, [.., base, name] if BINDERS.contains(&(&**base, &**name)));
        outline.paths.iter().any(|path| binds(path))
            || outline.methods.iter().any(|name| BINDING_METHODS.contains(&&**name) || SERVING_METHODS.contains(&&**name))
    };
    let bodies = reached.functions().iter().filter_map(|function| workspace.body_if(*function, may_bind));
    let mut found: Vec<Evaluated> = bodies.flat_map(Node::descendants).filter_map(|node| evaluator.bound(node)).collect();
    // Stable: ties stay in the order found.
    found.sort_by_key(|evaluated| evaluated.side);
    found.into_iter().next().map(|evaluated| evaluated.port)
}

struct Evaluator<'a> {
    workspace: &'a Workspace,
    helpers: &'a Helpers,
    knobs: &'a Knobs,
}

#[derive(Debug)]
struct Evaluated {
    port: Found<u16>,
    /// For metrics, health, debugging.
    side: bool,
}

impl Evaluator<'_> {
    /// The port that this call listens on.
    fn bound(&self, node: Node<'_>) -> Option<Evaluated> {
        match node.kind() {
            ExprKind::Call { .. } => {
                let path = node.path()?;
                let (base, name) = (path.get(path.len().checked_sub(2)?)?, path.last()?);
                let outside = matches!(node.definition(), Definition::External(_) | Definition::Unknown);
                let binder = BINDERS.contains(&(&**base, &**name)) && outside;
                binder.then(|| self.port(node.arguments().next()?, MAX_STEPS)).flatten()
            }
            ExprKind::Method { receiver, name, .. } => {
                let is_server = |path: &str| {
                    let text = node
                        .with(*receiver)
                        .descendants()
                        .filter_map(|node| node.external())
                        .any(|found| found.starts_with(path));
                    text || matches!(node.with(*receiver).ty(), Definition::External(found) if found.starts_with(path))
                };
                let address = node.arguments().next()?;
                let served = match &**name {
                    // `warp::serve(routes).run(address)`, tonic's `.serve(address)`.
                    "run" | "bind_with_graceful_shutdown" => is_server("warp::"),
                    "serve" | "serve_with_shutdown" => is_server("tonic::"),
                    name if BINDING_METHODS.contains(&name) => {
                        is_server("actix_web::") || is_server("tide::") || is_server("ntex::") || is_server("warp::")
                    }
                    _ => false,
                };
                served.then(|| self.port(address, MAX_STEPS)).flatten()
            }
            _ => None,
        }
    }

    fn found(&self, port: u16, node: Node<'_>, side: bool) -> Option<Evaluated> {
        // Port 0 asks the system for any.
        (port != 0).then(|| Evaluated { port: Found { value: port, at: node.at() }, side })
    }

    /// The port in an expression that is an address or a port.
    fn port(&self, node: Node<'_>, steps: usize) -> Option<Evaluated> {
        let steps = steps.checked_sub(1)?;
        let node = node.peel();
        match node.kind() {
            ExprKind::Literal(Literal::Str(text)) => self.found(port_of(text)?, node, false),
            ExprKind::Literal(Literal::Int(number)) => self.found(u16::try_from((*number)?).ok()?, node, false),
            // `("0.0.0.0", 8080)`, `([0, 0, 0, 0], 3000)`, `8080 as u16`: the port stands last.
            ExprKind::Other(parts) => parts.iter().rev().find_map(|part| self.port(node.with(*part), steps)),
            ExprKind::Macro { .. } => self.formatted(node, steps),
            ExprKind::Method { receiver, name, .. } => match &**name {
                "parse" | "unwrap_or" | "unwrap_or_else" | "map" | "and_then" | "to_socket_addrs" | "next" | "trim"
                | "parse_or" => self.port(node.with(*receiver), steps).or_else(|| self.port(node.arguments().next()?, steps)),
                _ => self.method_result(node, steps),
            },
            ExprKind::Closure { body, .. } => self.port(node.with(*body), steps),
            ExprKind::Block(statements) => self.port(node.with(*statements.last()?), steps),
            ExprKind::Call { .. } => self.call(node, steps),
            ExprKind::Field { name, .. } => self.field(node, name, steps),
            ExprKind::Path(_) => match node.binding() {
                Some(value) => self.port(value, steps).map(|found| self.mark(found, node.variable())),
                None => {
                    let text = constant_text(node)?;
                    self.found(port_of(&text)?, node, is_side(node.path()?.last()?))
                }
            },
            _ => None,
        }
    }

    fn mark(&self, found: Evaluated, name: Option<&str>) -> Evaluated {
        Evaluated { side: found.side || name.is_some_and(is_side), ..found }
    }

    /// `format!("0.0.0.0:{}", port)`, `format!("{host}:{port}")`, `format!("0.0.0.0:8080")`.
    fn formatted(&self, node: Node<'_>, steps: usize) -> Option<Evaluated> {
        let mut arguments = node.arguments();
        let template = arguments.next()?;
        let text = template.text()?;
        let last = text.rsplit(':').next()?;
        let Some(name) = last.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return self.found(port_of(text)?, template, false);
        };
        if name.is_empty() {
            return self.port(arguments.last()?, steps);
        }
        // An inline name is no expression of its own: look it up as a binding of the enclosing block.
        let value = binding_before(node, name)?;
        self.port(value, steps).map(|found| self.mark(found, Some(name)))
    }

    fn call(&self, node: Node<'_>, steps: usize) -> Option<Evaluated> {
        if let Some((name, default)) = environment::read(node, self.helpers) {
            let port = default.filter(|default| !default.is_empty()).or_else(|| fallback_text(node));
            return self.found(port_of(&port?)?, node, is_side(&name));
        }
        if let Definition::Function(function) = node.definition() {
            let body = self.workspace.body(function)?;
            return self.port(body, steps);
        }
        // `SocketAddr::from(…)`, `SocketAddr::new(ip, port)`, `(host, port).into()`.
        node.arguments().collect::<Vec<_>>().into_iter().rev().find_map(|argument| self.port(argument, steps))
    }

    fn method_result(&self, node: Node<'_>, steps: usize) -> Option<Evaluated> {
        let Definition::Type(ty) = node.receiver()?.ty() else { return None };
        let method = self.workspace.names.method(ty, Name::known(node.method()?)?)?;
        self.port(self.workspace.body(method)?, steps)
    }

    /// `config.server.port`: what the configuration files, the field's attributes or a struct literal say.
    fn field(&self, node: Node<'_>, name: &str, steps: usize) -> Option<Evaluated> {
        let mut keys = vec![name];
        let mut base = node;
        while let ExprKind::Field { base: inner, .. } = base.kind() {
            base = base.with(*inner).peel();
            if let ExprKind::Field { name, .. } = base.kind() {
                keys.insert(0, name);
            }
        }
        let side = keys.iter().any(|key| is_side(key));
        if let Some(knob) = self.knobs.ending_in(&keys.join(".")) {
            return Some(Evaluated { port: Found { value: port_of(&knob.value)?, at: knob.at }, side });
        }
        let ExprKind::Field { base, .. } = node.kind() else { return None };
        let Definition::Type(ty) = node.with(*base).ty() else { return None };
        let item = ty.get(&self.workspace.rust);
        let TypeKind::Struct(fields) = &item.kind else { return None };
        let field = fields.iter().find(|field| &*field.name == name)?;
        let facts = &self.workspace.rust[ty.file()];
        for attribute in &field.attributes {
            let arguments = environment::arguments(facts, attribute);
            let default = arguments.iter().find(|(key, _)| key.starts_with("default_value"));
            if let Some(port) = default.and_then(|(_, value)| port_of(value.as_ref()?)) {
                return Some(Evaluated { port: Found { value: port, at: facts.location(field.span) }, side });
            }
        }
        // The struct is made somewhere: its `Default`, its `from_env`.
        let literals = self.workspace.named(&item.name);
        let mut made = literals.filter_map(|literal| match literal.kind() {
            ExprKind::Struct { fields, .. } if literal.definition() == Definition::Type(ty) => {
                let (_, value) = fields.iter().find(|(field, _)| &**field == name)?;
                self.port(literal.with(*value), steps)
            }
            _ => None,
        });
        made.next().map(|found| Evaluated { side: found.side || side, ..found })
    }
}

/// The default that the methods after an environment read give, where they parse first:
/// `var("PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(8080)`.
fn fallback_text(read: Node<'_>) -> Option<String> {
    read.ancestors().take(8).find_map(|node| match node.method()? {
        "unwrap_or" => constant_text(node.arguments().next()?),
        _ => None,
    })
}

/// What `name` was bound to before `node`, by a `let` in a block around it.
fn binding_before<'w>(node: Node<'w>, name: &str) -> Option<Node<'w>> {
    let mut inner = node;
    for ancestor in node.ancestors() {
        if let ExprKind::Block(statements) = ancestor.kind() {
            let before: Vec<_> = statements.iter().take_while(|id| **id != inner.id).collect();
            for id in before.into_iter().rev() {
                if let ExprKind::Let { names, value, .. } = ancestor.with(*id).kind()
                    && names.len() == 1
                    && &*names[0] == name
                {
                    return value.map(|value| ancestor.with(value));
                }
            }
        }
        inner = ancestor;
    }
    None
}

/// The port in `8080`, `:8080`, `0.0.0.0:8080`, `[::]:8080`, `http://0.0.0.0:8080/`.
pub fn port_of(text: &str) -> Option<u16> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split('/').next()?;
    text.rsplit(':').next()?.trim().parse().ok().filter(|port| *port != 0)
}

fn is_side(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SIDE.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::port_of;

    #[test]
    fn ports_in_texts() {
        for (text, port) in [
            ("8080", Some(8080)),
            (":8080", Some(8080)),
            ("0.0.0.0:8080", Some(8080)),
            ("[::1]:50051", Some(50051)),
            ("http://0.0.0.0:3000/api", Some(3000)),
            ("127.0.0.1", None),
            ("127.0.0.1:0", None),
            ("99999", None),
            ("", None),
        ] {
            assert_eq!(port_of(text), port, "{text}");
        }
    }
}

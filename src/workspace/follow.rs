//! Following a value across functions: through parameters, returns, fields and constants of the workspace.

use super::Workspace;
use super::graph::Target;
use super::names::{Definition, FunctionRef, RustIndex, TypeRef};
use super::query::{Node, Step};
use super::rust::{ExprId, ExprKind};
use rustc_hash::FxHashSet as HashSet;

/// A value is followed to at most this many places: past that it is everywhere.
const MAX_PLACES: usize = 400;

/// Names that a router under construction is kept in one after the other.
const MAX_CHAINS: usize = 8;

/// What becomes of a value, as far as the workspace shows.
#[derive(Debug, Default)]
pub struct Fate<'w> {
    /// Methods called on it, and on what those return where that still is the value.
    pub methods: Vec<Node<'w>>,
    /// Calls, methods and macros outside the workspace, or not known, that it is handed to.
    pub given: Vec<Node<'w>>,
}

impl<'w> Node<'w> {
    /// What becomes of this value. `through` says which methods return the value itself: a builder's, not a request's.
    pub fn fate(self, through: &dyn Fn(&str) -> bool) -> Fate<'w> {
        let mut fate = Fate::default();
        let mut seen: HashSet<(RustIndex, ExprId)> = HashSet::default();
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            if seen.len() > MAX_PLACES || !seen.insert((node.file, node.id)) {
                continue;
            }
            let steps = node.flow_through(through);
            for (step, held) in steps {
                match step {
                    Step::Method(method) => fate.methods.push(method),
                    Step::Argument(call) => match call.parameter_of(held) {
                        Some(uses) => open.extend(uses),
                        None => {
                            fate.given.push(call);
                            open.extend(call.state_uses());
                            // `Data::new(client)`, `ClientBuilder::new(client)`: what comes back holds the value.
                            if matches!(call.kind(), ExprKind::Call { .. }) {
                                open.push(call);
                            }
                        }
                    },
                    Step::Field(literal, name) => {
                        if let Definition::Type(ty) = literal.definition() {
                            open.extend(self.workspace.field_uses(ty, name));
                        }
                    }
                    Step::Returned(function) => open.extend(self.workspace.results_of(function)),
                }
            }
            open.extend(node.constant_uses());
        }
        fate
    }

    /// Where the workspace's own function that is called here reads the parameter that `held` is passed as. `None` when
    /// what is called is not of the workspace, or not known.
    pub fn parameter_of(self, held: Node<'w>) -> Option<Vec<Node<'w>>> {
        let position = self.arguments().position(|argument| argument.id == held.id)?;
        let definition = match self.kind() {
            ExprKind::Call { .. } => self.definition(),
            ExprKind::Method { receiver, name, .. } => match self.with(*receiver).ty() {
                Definition::Type(ty) => self.workspace.names.method(ty, *name).map_or(Definition::Unknown, Definition::Function),
                _ => Definition::Unknown,
            },
            _ => Definition::Unknown,
        };
        match definition {
            Definition::Function(function) => {
                let item = self.workspace.function(function);
                let has_self = item.parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"));
                let by_method = matches!(self.kind(), ExprKind::Method { .. });
                let name = item.parameters.get(position + usize::from(has_self && by_method))?.name.as_deref()?;
                let body = self.workspace.body(function)?;
                Some(body.descendants().filter(|node| node.variable() == Some(name)).collect())
            }
            // `Clients(client)`
            Definition::Type(ty) => Some(self.workspace.field_uses(ty, &position.to_string())),
            _ => None,
        }
    }

    /// What calls hand to the function for the parameter that this name is; nothing for other names.
    pub fn given(self) -> Vec<Node<'w>> {
        let (Some(name), Some(function)) = (self.variable(), self.function()) else { return Vec::new() };
        let parameters = &self.workspace.function(function).parameters;
        let position = parameters.iter().position(|parameter| parameter.name.as_deref() == Some(name));
        let Some(position) = position.filter(|_| self.binding().is_none()) else { return Vec::new() };
        let has_self = parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"));
        let calls = self.workspace.results_of(function).into_iter().filter(|call| call.ships());
        let argument = |call: Node<'w>| {
            let position = if has_self && call.method().is_some() { position.checked_sub(1) } else { Some(position) };
            call.arguments().nth(position?)
        };
        calls.filter_map(argument).collect()
    }

    /// Where handlers read what an axum router is given as its state here: the functions whose names stand in the chain that ends
    /// in this `with_state`, and in what that chain begins with.
    fn state_uses(self) -> Vec<Node<'w>> {
        if self.method() != Some("with_state") {
            return Vec::new();
        }
        let mut uses = Vec::new();
        let mut chain = self.receiver();
        for _ in 0..MAX_CHAINS {
            let Some(end) = chain else { break };
            let handlers = end.descendants().filter_map(|node| match (node.kind(), node.definition()) {
                (ExprKind::Path(_), Definition::Function(function)) => Some(function),
                _ => None,
            });
            for handler in handlers {
                let states = self.workspace.function(handler).parameters.iter().filter(|taken| taken.ty.name() == Some("State"));
                let names = states.filter_map(|state| state.name.as_deref());
                let Some(body) = self.workspace.body(handler) else { continue };
                uses.extend(names.flat_map(|name| body.descendants().filter(move |node| node.variable() == Some(name))));
            }
            chain = end.receivers().last().and_then(Node::binding);
        }
        uses
    }

    /// Where the constant or static is read whose value this is a part of.
    pub fn constant_uses(self) -> Vec<Node<'w>> {
        if self.function().is_some() {
            return Vec::new();
        }
        let root = self.ancestors().last().unwrap_or(self).id;
        let constant = self.facts().constants.iter().find(|constant| constant.value == Some(root));
        let Some(constant) = constant else { return Vec::new() };
        let Workspace { graph, names, .. } = self.workspace;
        // Constants are known by name alone: only code that can see this one means it.
        let sees = |place: &Node<'_>| place.crates().any(|krate| self.crates().any(|own| names.reach(krate).contains(&own)));
        graph.places(self.workspace, &Target::Constant(constant.name)).filter(sees).collect()
    }

    /// The value of the constant or static that this path names: one of its own file, else the only one of that name that its
    /// crate sees.
    pub fn constant(self) -> Option<Node<'w>> {
        let ExprKind::Path(path) = self.kind() else { return None };
        let Workspace { graph, names, rust, .. } = self.workspace;
        let known = graph.constants_named(path.last()?);
        let own: Vec<_> = known.iter().filter(|(file, _)| *file == self.file).collect();
        let seen = || {
            let reached: Vec<_> = self.crates().flat_map(|krate| names.reach(krate)).collect();
            let is_seen = |(file, index): &&(RustIndex, usize)| {
                let modules = names.modules_of(*file, rust[*file].constants[*index].module).iter();
                modules.into_iter().any(|&module| reached.contains(&names.modules[module].krate))
            };
            known.iter().filter(is_seen).collect()
        };
        let [(file, index)] = (if own.is_empty() { seen() } else { own })[..] else { return None };
        Some(Node { workspace: self.workspace, file: *file, id: rust[*file].constants[*index].value? })
    }
}

impl Workspace {
    /// Where the outside function at `path` is handed to a call as it is: `LazyLock::new(reqwest::Client::new)`.
    pub fn handed_on<'w>(&'w self, path: &str) -> Vec<Node<'w>> {
        let name = path.rsplit("::").next().unwrap_or(path);
        let bodies = self.graph.naming(path).iter().filter_map(|function| self.body(*function)).flat_map(Node::descendants);
        let parsed = self.rust.iter().enumerate().flat_map(|(file, facts)| {
            (0..facts.expressions.len()).map(move |id| Node { workspace: self, file, id: ExprId::new(id) })
        });
        let is_it = |node: &Node<'w>| {
            let written =
                matches!(node.kind(), ExprKind::Path(path) if path.len() > 1 && path.last().is_some_and(|last| **last == *name));
            let is_handed = |taker: Node<'w>| taker.arguments().any(|argument| argument.id == node.id);
            written
                && node.parent().is_some_and(is_handed)
                && node.ships()
                && node.external().is_some_and(|external| external == path)
        };
        parsed.chain(bodies).filter(is_it).collect()
    }

    /// Where a field of a struct is read.
    pub fn field_uses(&self, ty: TypeRef, field: &str) -> Vec<Node<'_>> {
        let is_it = |node: &Node<'_>| match node.kind() {
            ExprKind::Field { base, .. } => node.with(*base).ty() == Definition::Type(ty),
            _ => false,
        };
        self.fields_named(field).filter(is_it).collect()
    }

    /// The calls of a function, as values; where it is handed on uncalled, what takes it.
    pub fn results_of(&self, function: FunctionRef) -> Vec<Node<'_>> {
        let places = self.graph.places(self, &Target::Function(function));
        places.filter_map(|place| if matches!(place.kind(), ExprKind::Path(_)) { place.parent() } else { Some(place) }).collect()
    }
}

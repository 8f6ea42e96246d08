//! How rules ask the Rust facts: nodes that know their file, their names and where their value goes.
//!
//! Only code that ships is found: not tests, benches, examples, build scripts, or files that no crate compiles.

use std::sync::OnceLock;

use super::http::Place;
use super::manifest::{Package, TargetKind};
use super::names::{CrateId, Definition, FunctionRef, ModuleIndex, RustIndex};
use super::rust::{ExprId, ExprKind, Function, Literal, Name, Outline, RustFile, Segments};
use super::{Location, Span, Workspace};
use rustc_hash::FxHashMap as HashMap;

/// Calls, methods, macros, struct literals and fields by the last segment of their name.
#[derive(Debug, Default)]
pub struct Index {
    by_name: HashMap<Name, Named>,
}

/// What has one name.
#[derive(Debug, Default)]
struct Named {
    /// Among the expressions that are parsed with their files.
    parsed: Vec<Place>,
    /// Bodies whose tokens say the name.
    bodies: Vec<FunctionRef>,
    /// Everything, in path and source order, once somebody asked: what is called, then what is read.
    found: OnceLock<(Vec<Place>, Vec<Place>)>,
}

/// An expression of the workspace.
#[derive(Clone, Copy)]
pub struct Node<'w> {
    pub workspace: &'w Workspace,
    pub file: RustIndex,
    pub id: ExprId,
}

/// What happens to a value.
#[derive(Clone, Copy, Debug)]
pub enum Step<'w> {
    /// A method is called on it; the node is the method call.
    Method(Node<'w>),
    /// It is handed to a call, a method or a macro.
    Argument(Node<'w>),
    /// It becomes a field of a struct literal.
    Field(Node<'w>, &'w str),
    /// A function returns it.
    Returned(FunctionRef),
}

impl Index {
    pub fn build(rust: &[RustFile]) -> Self {
        let mut by_name: HashMap<Name, Named> = HashMap::default();
        for (file, facts) in rust.iter().enumerate() {
            for (id, expr) in facts.expressions.iter().enumerate() {
                let read = match &expr.kind {
                    ExprKind::Field { name, .. } => Some(name),
                    _ => None,
                };
                let id = ExprId::new(id);
                if let Some(name) = called(facts, &expr.kind).or(read) {
                    by_name.entry(name.clone()).or_default().parsed.push((file, id));
                }
            }
            for body in facts.bodies.iter().filter(|_| !facts.generated) {
                let function = FunctionRef { file, function: body.function };
                for name in &body.outline.names {
                    by_name.entry(name.clone()).or_default().bodies.push(function);
                }
            }
        }
        Self { by_name }
    }
}

/// The name of what an expression calls or makes.
fn called<'f>(facts: &'f RustFile, kind: &'f ExprKind) -> Option<&'f Name> {
    match kind {
        ExprKind::Method { name, .. } => Some(name),
        ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => path.last(),
        ExprKind::Call { callee, .. } => match &facts.expr(*callee).kind {
            ExprKind::Path(path) => path.last(),
            _ => None,
        },
        _ => None,
    }
}

impl Named {
    fn found(&self, workspace: &Workspace, name: &str) -> &(Vec<Place>, Vec<Place>) {
        self.found.get_or_init(|| {
            let node = |(file, id): Place| Node { workspace, file, id };
            let in_bodies = self.bodies.iter().filter_map(|function| workspace.body(*function)).filter(|body| body.ships());
            let nodes = self.parsed.iter().map(|place| node(*place)).chain(in_bodies.flat_map(Node::whole_body));
            let is_it = |node: &Node<'_>| match node.kind() {
                ExprKind::Field { name: read, .. } => **read == *name,
                kind => called(node.facts(), kind).is_some_and(|called| **called == *name),
            };
            let mut found: Vec<Node<'_>> = nodes.filter(is_it).collect();
            found.sort_by_cached_key(|node| node.order());
            let (read, called): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|node| matches!(node.kind(), ExprKind::Field { .. }));
            let places = |nodes: Vec<Node<'_>>| nodes.into_iter().map(|node| (node.file, node.id)).collect();
            (places(called), places(read))
        })
    }
}

impl Workspace {
    /// Shipped calls, methods, macros and struct literals whose name ends in `name`, in path and source order.
    pub fn named<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let found = self.index.by_name.get(name).map_or(&[][..], |named| &named.found(self, name).0);
        found.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships())
    }

    /// The same, save those in bodies that `may` rules out by what their tokens say: for names that stand everywhere.
    pub fn named_if<'w>(&'w self, name: &str, may: impl Fn(FunctionRef, &Outline) -> bool) -> std::vec::IntoIter<Node<'w>> {
        let mut found: Vec<Node<'w>> = Vec::new();
        if let Some((name, named)) = self.index.by_name.get_key_value(name) {
            found.extend(named.parsed.iter().map(|&(file, id)| Node { workspace: self, file, id }));
            let bodies = named.bodies.iter().filter_map(|&function| self.body_if(function, |outline| may(function, outline)));
            found.extend(bodies.filter(|body| body.ships()).flat_map(Node::whole_body));
            found.retain(|node| called(node.facts(), node.kind()) == Some(name) && node.ships());
            found.sort_by_cached_key(|node| node.order());
        }
        found.into_iter()
    }

    /// Reads of fields of that name, in path and source order.
    pub fn fields_named(&self, name: &str) -> impl Iterator<Item = Node<'_>> {
        let found = self.index.by_name.get(name).map_or(&[][..], |named| &named.found(self, name).1);
        found.iter().map(|&(file, id)| Node { workspace: self, file, id })
    }

    /// Shipped calls (or macros, or struct literals) of what stands outside the workspace at `path`, in path and source order:
    /// `reqwest::Client::new`, whatever the code imports it as.
    pub fn calls_to<'w>(&'w self, path: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let name = path.rsplit("::").next().unwrap_or(path);
        let parsed = self.index.by_name.get(name).map_or(&[][..], |named| &named.parsed);
        let parsed = parsed.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships());
        let bodies = self.graph.naming(path).iter().filter_map(|function| self.body(*function)).filter(|body| body.ships());
        let nodes = parsed.chain(bodies.flat_map(Node::whole_body));
        let is_it = |node: &Node<'w>| {
            called(node.facts(), node.kind()).is_some() && node.external().is_some_and(|external| external == path)
        };
        let mut found: Vec<Node<'w>> = nodes.filter(is_it).collect();
        found.sort_by_cached_key(|node| node.order());
        found.into_iter()
    }

    /// The same of everything outside below `path`: `tower::timeout::Timeout` for `…::new`.
    pub fn calls_below<'w>(&'w self, path: &str) -> Vec<Node<'w>> {
        self.graph.outside_below(path).flat_map(|known| self.calls_to(known)).collect()
    }

    /// Shipped string literals that `worth` says yes to, by file, those of bodies that were parsed late last.
    pub fn texts<'w>(&'w self, worth: impl Fn(&str) -> bool + 'w) -> impl Iterator<Item = Node<'w>> {
        self.rust.iter().enumerate().filter(|(_, facts)| !facts.generated).flat_map(move |(file, facts)| {
            let parsed = (0..facts.expressions.len()).map(|id| Node { workspace: self, file, id: ExprId::new(id) });
            let bodies = facts.bodies.iter().filter_map(|body| {
                let function = FunctionRef { file, function: body.function };
                self.body_saying(function, &worth)
            });
            let found = parsed.chain(bodies.flat_map(Node::whole_body));
            found.filter(|node| node.text().is_some_and(&worth) && node.ships()).collect::<Vec<_>>()
        })
    }

    /// Expressions of a file; of bodies that can wait only those whose source `may` hold what is looked for.
    pub fn nodes_of<'w>(&'w self, file: RustIndex, may: impl Fn(&str) -> bool + 'w) -> impl Iterator<Item = Node<'w>> {
        let facts = &self.rust[file];
        let node = move |id| Node { workspace: self, file, id };
        let bodies = facts.bodies.iter().filter(move |body| may(facts.bodies.text(body.outline.span)));
        (0..facts.expressions.len())
            .map(move |id| node(ExprId::new(id)))
            .chain(bodies.flat_map(move |body| node(body.root()).whole_body()))
    }

    /// Paths in a file's code, as written.
    pub fn paths_of(&self, file: RustIndex) -> impl Iterator<Item = &Segments> {
        let facts = &self.rust[file];
        let parsed = facts.expressions.iter().filter_map(|expr| match &expr.kind {
            ExprKind::Path(path) | ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => Some(path),
            _ => None,
        });
        parsed.chain(facts.bodies.iter().flat_map(|body| &body.outline.paths))
    }

    /// The expression that stands just here, of those that `is_it` says yes to.
    pub fn node_at(&self, at: Location, is_it: impl Fn(Node<'_>) -> bool) -> Option<Node<'_>> {
        let file = super::names::index_of(&self.rust, at.file)?;
        let facts = &self.rust[file];
        let node = |id| Node { workspace: self, file, id };
        let of_body = facts.bodies.around(at.span.start as usize).map(|body| node(body.root()).whole_body());
        let found = of_body.into_iter().flatten().chain((0..facts.expressions.len()).map(|id| node(ExprId::new(id))));
        found.into_iter().find(|node| node.at() == at && is_it(*node))
    }

    /// Shipped method calls by name, whatever the receiver.
    pub fn methods<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        self.named(name).filter(|node| node.method().is_some())
    }

    /// Shipped macro calls by name.
    pub fn macros<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        self.named(name).filter(|node| matches!(node.kind(), ExprKind::Macro { .. }))
    }

    pub fn function(&self, function: FunctionRef) -> &Function {
        function.get(&self.rust)
    }

    /// Crates that a function is compiled in: several when they share its file.
    pub fn crates_of(&self, function: FunctionRef) -> impl Iterator<Item = CrateId> {
        let modules = self.names.modules_of(function.file, self.function(function).module);
        modules.iter().map(|&module| self.names.modules[module].krate)
    }

    /// Where a function's name stands.
    pub fn function_location(&self, function: FunctionRef) -> Location {
        self.rust[function.file].location(self.function(function).name_span)
    }

    /// What the tokens of a function's body say; `None` where the body was parsed with its file.
    pub fn outline(&self, function: FunctionRef) -> Option<&Outline> {
        let facts = &self.rust[function.file];
        facts.bodies.around_id(self.function(function).body?).map(|body| &body.outline)
    }

    /// The body of a function, unless its tokens rule out what is looked for.
    pub fn body_if(&self, function: FunctionRef, may: impl Fn(&Outline) -> bool) -> Option<Node<'_>> {
        self.body(function).filter(|_| self.outline(function).is_none_or(may))
    }

    /// The body of a function, unless no string literal in it is `worth` it.
    pub fn body_saying(&self, function: FunctionRef, worth: impl Fn(&str) -> bool) -> Option<Node<'_>> {
        let bodies = &self.rust[function.file].bodies;
        let may_be = |span: &Span| {
            let text = bodies.text(*span);
            // What an escape stands for, only the parser says.
            text.contains('\\') || worth(text)
        };
        self.body_if(function, |outline| outline.texts.iter().any(may_be))
    }

    /// What a path means in a function.
    pub fn meaning_in(&self, function: FunctionRef, path: &[Name]) -> Definition {
        let item = self.function(function);
        let Some(&module) = self.names.modules_of(function.file, item.module).first() else { return Definition::Unknown };
        self.names.resolve(&self.rust, module, path, item.owner.as_ref())
    }

    /// The body of a function.
    pub fn body(&self, function: FunctionRef) -> Option<Node<'_>> {
        Some(Node { workspace: self, file: function.file, id: self.function(function).body? })
    }
}

impl<'w> Node<'w> {
    pub fn facts(self) -> &'w RustFile {
        &self.workspace.rust[self.file]
    }

    pub fn with(self, id: ExprId) -> Self {
        Self { id, ..self }
    }

    pub fn kind(self) -> &'w ExprKind {
        &self.facts().expr(self.id).kind
    }

    pub fn at(self) -> Location {
        self.facts().location(self.facts().expr(self.id).span)
    }

    /// The name of a method, else the whole node: the best place to point at in a long chain.
    pub fn name_at(self) -> Location {
        match self.kind() {
            ExprKind::Method { name_span, .. } => self.facts().location(*name_span),
            ExprKind::Call { callee, .. } => self.with(*callee).at(),
            _ => self.at(),
        }
    }

    pub fn parent(self) -> Option<Self> {
        self.facts().expr(self.id).parent.map(|id| self.with(id))
    }

    /// Its parent, that one's parent, … within the function or constant.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |node| node.parent())
    }

    pub fn children(self) -> impl Iterator<Item = Self> {
        self.kind().children().into_iter().map(move |id| self.with(id))
    }

    /// Itself and all below, in source order.
    pub fn descendants(self) -> impl Iterator<Item = Self> {
        let mut open = vec![self.id];
        std::iter::from_fn(move || {
            let id = open.pop()?;
            open.extend(self.with(id).kind().children().into_iter().rev());
            Some(self.with(id))
        })
    }

    /// All of the body that this is in, where that was parsed late.
    fn whole_body(self) -> impl Iterator<Item = Self> {
        let found = self.facts().bodies.around_id(self.id).map(|body| self.facts().bodies.expressions_of(body));
        found.into_iter().flatten().map(move |(id, _)| self.with(id))
    }

    /// Path and source order.
    pub fn order(self) -> (RustIndex, u32, ExprId) {
        let body = self.facts().bodies.around_id(self.id).map(|body| body.outline.span);
        (self.file, body.unwrap_or(self.facts().expr(self.id).span).start, self.id)
    }

    pub fn function(self) -> Option<FunctionRef> {
        self.facts().function_of(self.id).map(|function| FunctionRef { file: self.file, function })
    }

    /// Modules it is compiled in: several when crates share the file.
    pub fn modules(self) -> &'w [ModuleIndex] {
        let module = match self.function() {
            Some(function) => self.workspace.function(function).module,
            // Constants, attributes and item macros: the file's own module is close enough, for names and for tests.
            None => super::rust::ModuleId::root(),
        };
        self.workspace.names.modules_of(self.file, module)
    }

    /// Crates it is compiled in.
    pub fn crates(self) -> impl Iterator<Item = CrateId> {
        self.modules().iter().map(|&module| self.workspace.names.modules[module].krate)
    }

    /// Packages it is compiled in.
    pub fn packages(self) -> impl Iterator<Item = &'w Package> {
        let Workspace { packages, names, .. } = self.workspace;
        self.crates().map(|krate| &packages[names.crates[krate].package])
    }

    /// The version of a dependency where this code is compiled.
    pub fn version_of(self, package: &str) -> Option<&'w str> {
        let dependencies = &self.packages().next()?.dependencies;
        dependencies.iter().find(|known| known.package == package)?.version.as_deref()
    }

    /// Whether it is part of a library or a binary, outside tests and generated code.
    pub fn ships(self) -> bool {
        let test = self.function().is_some_and(|function| self.workspace.function(function).test);
        !test
            && !self.facts().generated
            && self.modules().iter().any(|&module| {
                let node = &self.workspace.names.modules[module];
                let kind = self.workspace.names.crates[node.krate].kind;
                !node.test && matches!(kind, TargetKind::Lib | TargetKind::Bin)
            })
    }

    /// Inside an `async fn`, block or closure, and not inside a plain closure in it.
    pub fn is_async(self) -> bool {
        for node in self.ancestors() {
            match node.kind() {
                ExprKind::Async(_) => return true,
                ExprKind::Closure { is_async, .. } => return *is_async,
                _ => {}
            }
        }
        self.function().is_some_and(|function| self.workspace.function(function).is_async)
    }

    /// The path of a call, macro, struct literal or plain path, as written.
    pub fn path(self) -> Option<&'w [Name]> {
        match self.kind() {
            ExprKind::Path(path) | ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => Some(path),
            ExprKind::Call { callee, .. } => self.with(*callee).path(),
            _ => None,
        }
    }

    /// What that path means.
    pub fn definition(self) -> Definition {
        self.path().map_or(Definition::Unknown, |path| self.resolve(path))
    }

    /// What a path means here.
    pub fn resolve(self, path: &[Name]) -> Definition {
        let Some(&module) = self.modules().first() else { return Definition::Unknown };
        let owner = self.function().and_then(|function| self.workspace.function(function).owner.as_ref());
        self.workspace.names.resolve(&self.workspace.rust, module, path, owner)
    }

    /// The path outside the workspace that it names.
    pub fn external(self) -> Option<String> {
        let Definition::External(path) = self.definition() else { return None };
        Some(path)
    }

    /// The method's name, of a method call.
    pub fn method(self) -> Option<&'w str> {
        match self.kind() {
            ExprKind::Method { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The name of a method, else the last segment of a path: `timeout` of `tokio::time::timeout(…)`.
    pub fn last_name(self) -> Option<&'w str> {
        self.method().or_else(|| self.path()?.last().map(|name| &**name))
    }

    pub fn receiver(self) -> Option<Self> {
        match self.kind() {
            ExprKind::Method { receiver, .. } => Some(self.with(*receiver)),
            _ => None,
        }
    }

    /// Itself, what it is a method call on, what that is one on, …: a chain from its end.
    pub fn receivers(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |node| node.receiver())
    }

    /// Arguments of a call, a method or a macro.
    pub fn arguments(self) -> impl Iterator<Item = Self> {
        let arguments: &[ExprId] = match self.kind() {
            ExprKind::Call { arguments, .. } | ExprKind::Method { arguments, .. } | ExprKind::Macro { arguments, .. } => {
                arguments
            }
            _ => &[],
        };
        arguments.iter().map(move |id| self.with(*id))
    }

    /// Text of a string literal.
    pub fn text(self) -> Option<&'w str> {
        match self.kind() {
            ExprKind::Literal(Literal::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// A plain local name or constant: `client`.
    pub fn variable(self) -> Option<&'w str> {
        match self.kind() {
            ExprKind::Path(path) if path.len() == 1 => Some(&path[0]),
            _ => None,
        }
    }

    /// Through `&`, `.await`, `?` and the methods that only hand on what they are called on.
    pub fn peel(self) -> Self {
        let mut node = self;
        loop {
            node = match node.kind() {
                ExprKind::Await(inner) | ExprKind::Try(inner) | ExprKind::Reference(inner) => node.with(*inner),
                ExprKind::Method { receiver, name, .. } if hands_on(name) => node.with(*receiver),
                _ => return node,
            }
        }
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.at())
    }
}

/// Methods whose value is what they are called on, for our purposes.
pub fn hands_on(method: &str) -> bool {
    matches!(
        method,
        "clone"
            | "unwrap"
            | "expect"
            | "unwrap_or_default"
            | "as_ref"
            | "as_mut"
            | "to_owned"
            | "into"
            | "context"
            | "with_context"
            | "map_err"
            | "boxed"
            | "to_string"
            | "as_str"
            | "borrow"
            | "deref"
            | "wrap_err"
            | "wrap_err_with"
            | "ok"
            | "cloned"
    )
}

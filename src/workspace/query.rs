//! How rules ask the Rust facts: nodes that know their file, their names and where their value goes.
//!
//! Only code that ships is found: not tests, benches, examples, build scripts, or files that no crate compiles.

use std::sync::OnceLock;

use super::manifest::{Package, TargetKind};
use super::names::{CrateId, Definition, FunctionRef, ModuleIndex, RustIndex};
use super::rust::{ExprId, ExprKind, Function, Literal, Name, RustFile};
use super::{Location, Workspace};
use rustc_hash::FxHashMap as HashMap;

/// Calls, methods, macros and struct literals by the last segment of their name.
#[derive(Debug, Default)]
pub struct Index {
    by_name: HashMap<Name, Vec<(RustIndex, ExprId)>>,
    /// Reads of fields by name; built when first asked for, as few audits need it.
    fields: OnceLock<HashMap<Name, Vec<(RustIndex, ExprId)>>>,
    /// Paths that are handed on and not called, by their last segment; built when first asked for.
    handed: OnceLock<HashMap<Name, Vec<(RustIndex, ExprId)>>>,
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
        let mut by_name: HashMap<Name, Vec<(RustIndex, ExprId)>> = HashMap::default();
        for (file, facts) in rust.iter().enumerate() {
            for (id, expr) in facts.expressions.iter().enumerate() {
                let name = match &expr.kind {
                    ExprKind::Method { name, .. } => Some(name),
                    ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => path.last(),
                    ExprKind::Call { callee, .. } => match &facts.expr(*callee).kind {
                        ExprKind::Path(path) => path.last(),
                        _ => None,
                    },
                    _ => None,
                };
                if let Some(name) = name {
                    by_name.entry(name.clone()).or_default().push((file, ExprId::new(id)));
                }
            }
        }
        Self { by_name, fields: OnceLock::new(), handed: OnceLock::new() }
    }
}

fn fields(rust: &[RustFile]) -> HashMap<Name, Vec<(RustIndex, ExprId)>> {
    let mut fields: HashMap<Name, Vec<(RustIndex, ExprId)>> = HashMap::default();
    for (file, facts) in rust.iter().enumerate() {
        for (id, expr) in facts.expressions.iter().enumerate() {
            if let ExprKind::Field { name, .. } = &expr.kind {
                fields.entry(name.clone()).or_default().push((file, ExprId::new(id)));
            }
        }
    }
    fields
}

fn handed(rust: &[RustFile]) -> HashMap<Name, Vec<(RustIndex, ExprId)>> {
    let mut handed: HashMap<Name, Vec<(RustIndex, ExprId)>> = HashMap::default();
    for (file, facts) in rust.iter().enumerate() {
        for expr in &facts.expressions {
            let (ExprKind::Call { arguments, .. } | ExprKind::Method { arguments, .. }) = &expr.kind else { continue };
            for &argument in arguments {
                if let ExprKind::Path(path) = &facts.expr(argument).kind
                    && let [_, .., name] = &path[..]
                {
                    handed.entry(name.clone()).or_default().push((file, argument));
                }
            }
        }
    }
    handed
}

impl Workspace {
    /// Shipped calls, methods, macros and struct literals whose name ends in `name`, in path and source order.
    pub fn named<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let found = self.index.by_name.get(name).map_or(&[][..], Vec::as_slice);
        found.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships())
    }

    /// Shipped calls (or macros, or struct literals) of what stands outside the workspace at `path`:
    /// `reqwest::Client::new`, whatever the code imports it as.
    pub fn calls_to<'w>(&'w self, path: &'static str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let name = path.rsplit("::").next().unwrap_or(path);
        self.named(name).filter(move |node| node.external().is_some_and(|external| external == path))
    }

    /// Where the outside function at `path` is handed to a call as it is: `LazyLock::new(reqwest::Client::new)`.
    pub fn handed_on<'w>(&'w self, path: &'static str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let name = path.rsplit("::").next().unwrap_or(path);
        let found = self.index.handed.get_or_init(|| handed(&self.rust)).get(name).map_or(&[][..], Vec::as_slice);
        let nodes = found.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships());
        nodes.filter(move |node| node.external().is_some_and(|external| external == path))
    }

    /// Reads of fields of that name, in path and source order, in tests too.
    pub fn fields_named(&self, name: &str) -> impl Iterator<Item = Node<'_>> {
        let found = self.index.fields.get_or_init(|| fields(&self.rust)).get(name).map_or(&[][..], Vec::as_slice);
        found.iter().map(|&(file, id)| Node { workspace: self, file, id })
    }

    /// Shipped method calls by name, whatever the receiver.
    pub fn methods<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        self.named(name).filter(|node| node.method().is_some())
    }

    /// Shipped macro calls by name.
    pub fn macros<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        self.named(name).filter(|node| matches!(node.kind(), ExprKind::Macro { .. }))
    }

    /// Every shipped expression.
    pub fn shipped_expressions(&self) -> impl Iterator<Item = Node<'_>> {
        self.rust.iter().enumerate().flat_map(move |(file, facts)| {
            let ids = (0..facts.expressions.len()).map(ExprId::new);
            ids.map(move |id| Node { workspace: self, file, id }).filter(|node| node.ships())
        })
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

    pub fn function(self) -> Option<FunctionRef> {
        self.facts().expr(self.id).function.map(|function| FunctionRef { file: self.file, function })
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
        match self.definition() {
            Definition::External(path) => Some(path),
            _ => None,
        }
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

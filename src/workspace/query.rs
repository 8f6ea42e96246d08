//! What rules ask of code: nodes that know their file, their names and where their value goes.

use super::Location;
use super::Workspace;
use super::manifest::{Package, TargetKind};
use super::names::{CrateId, Definition, FunctionRef, ModuleIndex, RustIndex};
use super::rust::{ExprId, ExprKind, Literal, Name, RustFile};

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
    pub(super) fn whole_body(self) -> impl Iterator<Item = Self> {
        let found = self.facts().bodies.around_id(self.id).map(|body| self.facts().bodies.expressions_of(body));
        found.into_iter().flatten().map(move |(id, _)| self.with(id))
    }

    /// Path and source order.
    pub fn order(self) -> (RustIndex, u32, ExprId) {
        let body = self.facts().bodies.around_id(self.id).map(|body| body.outline.span);
        (self.file, body.unwrap_or(self.facts().expr(self.id).span).start, self.id)
    }

    pub fn function(self) -> Option<FunctionRef> {
        self.facts().function_of(self.id).map(|function| FunctionRef::new(self.file, function))
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
        let why = self.why_unshipped();
        if let Some(why) = why {
            self.workspace.spared(|| self.at(), why);
        }
        why.is_none()
    }

    /// Why it does not ship, in words that read well after "not reported:".
    pub fn why_unshipped(self) -> Option<&'static str> {
        if self.function().is_some_and(|function| self.workspace.function(function).test) {
            return Some("it is part of a test");
        }
        if self.facts().generated {
            return Some("its file is generated");
        }
        let ships = self.modules().iter().any(|&module| {
            let node = &self.workspace.names.modules[module];
            let kind = self.workspace.names.crates[node.krate].kind;
            !node.test && matches!(kind, TargetKind::Lib | TargetKind::Bin)
        });
        (!ships).then_some("no library and no binary compiles it")
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
        let path = match self.kind() {
            ExprKind::Path(path) | ExprKind::Macro { path, .. } | ExprKind::Struct { path, .. } => path,
            ExprKind::Call { callee, .. } => return self.with(*callee).definition(),
            _ => return Definition::Unknown,
        };
        let names = &self.workspace.names;
        match (self.modules().first(), &**path) {
            (None, _) => Definition::Unknown,
            (_, [first, ..]) if **first == *"Self" => self.resolve(path),
            (Some(&module), _) => names.remembered(module, *path, || self.resolve(path)),
        }
    }

    /// What a path means here.
    pub fn resolve(self, path: &[Name]) -> Definition {
        let Some(&module) = self.modules().first() else { return Definition::Unknown };
        let owner = self.function().and_then(|function| self.workspace.function(function).owner.as_ref());
        self.workspace.names.resolve(&self.workspace.rust, module, path, owner)
    }

    /// The path outside the workspace that it names.
    pub fn external(self) -> Option<&'static str> {
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

//! How rules find code: by names, by what paths mean outside the workspace, by texts. Bodies whose tokens rule out what is
//! looked for are not parsed for it.
//!
//! Only code that ships is found: not tests, benches, examples, build scripts, or files that no crate compiles.

use std::sync::OnceLock;

use super::http::Place;
use super::names::{CrateId, Definition, FunctionRef, RustIndex};
use super::query::Node;
use super::rust::{ExprId, ExprKind, Function, Name, Outline, RustFile, Segments};
use super::{Location, Workspace};
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
    found: OnceLock<Box<(Vec<Place>, Vec<Place>)>>,
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
                    by_name.entry(*name).or_default().parsed.push((file, id));
                }
            }
            for body in facts.bodies.iter().filter(|_| !facts.generated) {
                let function = FunctionRef::new(file, body.function);
                for name in &body.outline.names {
                    by_name.entry(*name).or_default().bodies.push(function);
                }
            }
        }
        // Most names stand in one place or two, for which a list has room for four.
        for named in by_name.values_mut() {
            named.parsed.shrink_to_fit();
            named.bodies.shrink_to_fit();
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

impl Index {
    fn get(&self, name: &str) -> Option<&Named> {
        self.by_name.get(&Name::known(name)?)
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
            Box::new((places(called), places(read)))
        })
    }
}

impl Workspace {
    /// Shipped calls, methods, macros and struct literals whose name ends in `name`, in path and source order.
    pub fn named<'w>(&'w self, name: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let found = self.index.get(name).map_or(&[][..], |named| &named.found(self, name).0);
        let found = found.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships());
        found.inspect(|node| self.looked(|| node.name_at()))
    }

    /// The same, save those in bodies that `may` rules out by what their tokens say: for names that stand everywhere.
    pub fn named_if<'w>(&'w self, name: &str, may: impl Fn(FunctionRef, &Outline) -> bool) -> std::vec::IntoIter<Node<'w>> {
        let mut found: Vec<Node<'w>> = Vec::new();
        if let Some((name, named)) = Name::known(name).and_then(|name| self.index.by_name.get_key_value(&name)) {
            found.extend(named.parsed.iter().map(|&(file, id)| Node { workspace: self, file, id }));
            let bodies = named.bodies.iter().filter_map(|&function| self.body_if(function, |outline| may(function, outline)));
            found.extend(bodies.filter(|body| body.ships()).flat_map(Node::whole_body));
            found.retain(|node| called(node.facts(), node.kind()) == Some(name) && node.ships());
            found.sort_by_cached_key(|node| node.order());
            found.iter().for_each(|node| self.looked(|| node.name_at()));
        }
        found.into_iter()
    }

    /// Reads of fields of that name, in path and source order.
    pub fn fields_named(&self, name: &str) -> impl Iterator<Item = Node<'_>> {
        let found = self.index.get(name).map_or(&[][..], |named| &named.found(self, name).1);
        let found = found.iter().map(|&(file, id)| Node { workspace: self, file, id });
        found.inspect(|node| self.looked(|| node.at()))
    }

    /// Shipped calls (or macros, or struct literals) of what stands outside the workspace at `path`, in path and source order:
    /// `reqwest::Client::new`, whatever the code imports it as.
    pub fn calls_to<'w>(&'w self, path: &str) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let name = path.rsplit("::").next().unwrap_or(path);
        let parsed = self.index.get(name).map_or(&[][..], |named| &named.parsed);
        let parsed = parsed.iter().map(|&(file, id)| Node { workspace: self, file, id }).filter(|node| node.ships());
        let bodies = self.graph.naming(path).iter().filter_map(|function| self.body(*function)).filter(|body| body.ships());
        let nodes = parsed.chain(bodies.flat_map(Node::whole_body));
        let is_it = |node: &Node<'w>| {
            called(node.facts(), node.kind()).is_some() && node.external().is_some_and(|external| external == path)
        };
        let mut found: Vec<Node<'w>> = nodes.filter(is_it).collect();
        found.sort_by_cached_key(|node| node.order());
        found.iter().for_each(|node| self.looked(|| node.name_at()));
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
                let function = FunctionRef::new(file, body.function);
                self.body_saying(function, &worth)
            });
            let found = parsed.chain(bodies.flat_map(Node::whole_body));
            let found = found.filter(|node| node.text().is_some_and(&worth) && node.ships());
            found.inspect(|node| self.looked(|| node.at())).collect::<Vec<_>>()
        })
    }

    /// Expressions of a file; of bodies that can wait only those whose source `may` hold what is looked for.
    pub fn nodes_of<'w>(&'w self, file: RustIndex, may: impl Fn(&str) -> bool + 'w) -> impl Iterator<Item = Node<'w>> {
        let facts = &self.rust[file];
        let node = move |id| Node { workspace: self, file, id };
        let bodies = facts.bodies.iter().filter(move |body| may(body.source()));
        (0..facts.expressions.len())
            .map(move |id| node(ExprId::new(id)))
            .chain(bodies.flat_map(move |body| node(body.root).whole_body()))
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
        let of_body = facts.bodies.around(at.span.start as usize).map(|body| node(body.root).whole_body());
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
        let modules = self.names.modules_of(function.file(), self.function(function).module);
        modules.iter().map(|&module| self.names.modules[module].krate)
    }

    /// Where a function's name stands.
    pub fn function_location(&self, function: FunctionRef) -> Location {
        self.rust[function.file()].location(self.function(function).name_span)
    }

    /// What the tokens of a function's body say; `None` where the body was parsed with its file.
    pub fn outline(&self, function: FunctionRef) -> Option<&Outline> {
        let facts = &self.rust[function.file()];
        facts.bodies.around_id(self.function(function).body?).map(|body| &body.outline)
    }

    /// The body of a function, unless its tokens rule out what is looked for.
    pub fn body_if(&self, function: FunctionRef, may: impl Fn(&Outline) -> bool) -> Option<Node<'_>> {
        self.body(function).filter(|_| self.outline(function).is_none_or(may))
    }

    /// The body of a function, unless no string literal in it is `worth` it.
    pub fn body_saying(&self, function: FunctionRef, worth: impl Fn(&str) -> bool) -> Option<Node<'_>> {
        // What an escape stands for, only the parser says.
        let may_be = |text: &str| text.contains('\\') || worth(text);
        let body = self.body(function)?;
        let waits = self.rust[function.file()].bodies.around_id(body.id);
        Some(body).filter(|_| waits.is_none_or(|waits| waits.texts().any(may_be)))
    }

    /// What a path means in a function.
    pub fn meaning_in(&self, function: FunctionRef, path: &[Name]) -> Definition {
        let item = self.function(function);
        let Some(&module) = self.names.modules_of(function.file(), item.module).first() else { return Definition::Unknown };
        self.names.resolve(&self.rust, module, path, item.owner.as_ref())
    }

    /// The body of a function.
    pub fn body(&self, function: FunctionRef) -> Option<Node<'_>> {
        Some(Node { workspace: self, file: function.file(), id: self.function(function).body? })
    }
}

//! What runs: all that a process reaches from its `main`.
//!
//! Calls are followed by what paths mean and by the types that are written down. A method whose receiver has no known
//! type may be any method of that name, of a type that the process makes: code is left out only when nothing leads to it.

use std::collections::VecDeque;
use std::ops::Range;

use super::Workspace;
use super::graph::{Mention, Target};
use super::names::{CrateId, FunctionRef, RustIndex, TypeRef};
use super::query::Node;
use super::rust::{ExprId, FunctionId, Name, Outline};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

/// What one process runs.
#[derive(Debug, Default)]
pub struct Reach {
    /// In the order found: those near `main` first.
    functions: Vec<FunctionRef>,
    /// The same in path and source order.
    sorted: Vec<FunctionRef>,
    /// Files of those functions, in path order.
    files: Vec<RustIndex>,
    /// File and index of constants, in that order.
    constants: Vec<(RustIndex, usize)>,
    /// Parts of reached functions that this process does not run: other subcommands, early exits of `main`.
    left_out: HashMap<FunctionRef, Vec<Range<ExprId>>>,
}

impl Reach {
    /// What a binary runs, save what `leave_out` says of a function. A function that it says something of is followed by what
    /// it mentions to the letter, any other by what its tokens name.
    pub fn of(workspace: &Workspace, binary: CrateId, leave_out: &LeaveOut<'_>) -> Self {
        let mut walk = Walk::new(workspace, binary);
        while let Some((target, by)) = walk.open.pop_front() {
            walk.follow(target, by, leave_out);
        }
        walk.end()
    }

    /// Functions, those near `main` first.
    pub fn functions(&self) -> &[FunctionRef] {
        &self.functions
    }

    /// Files that hold some of it, in path order.
    pub fn files(&self) -> &[RustIndex] {
        &self.files
    }

    pub fn contains(&self, function: FunctionRef) -> bool {
        self.sorted.binary_search(&function).is_ok()
    }

    /// Expressions that it runs, of the constants and of those functions that write a name that `named` says yes to, or name
    /// something outside the workspace that `outside` says yes to.
    pub fn expressions_where<'w>(
        &'w self,
        workspace: &'w Workspace,
        named: impl Fn(&str) -> bool + 'w,
        outside: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = Node<'w>> {
        let by_path: HashSet<FunctionRef> = workspace.graph.naming_any(outside).collect();
        let bodies = self.functions.iter().filter_map(move |&function| {
            let may = |outline: &Outline| by_path.contains(&function) || outline.all_names().any(|name| named(name));
            workspace.body_if(function, may)
        });
        bodies.chain(self.values(workspace)).flat_map(Node::descendants).filter(|node| self.runs(*node))
    }

    /// Values of the constants that it runs.
    fn values<'w>(&'w self, workspace: &'w Workspace) -> impl Iterator<Item = Node<'w>> {
        self.constants.iter().filter_map(move |&(file, index)| {
            let id = workspace.rust[file].constants[index].value?;
            Some(Node { workspace, file, id })
        })
    }

    /// Whether the process runs this expression. What stands neither in a function nor in a constant (an attribute, a macro
    /// among the items) runs with its file.
    pub fn runs(&self, node: Node<'_>) -> bool {
        if let Some(function) = node.function() {
            let left_out = self.left_out.get(&function);
            let is_left_out = left_out.is_some_and(|parts| parts.iter().any(|part| part.contains(&node.id)));
            return self.contains(function) && !is_left_out;
        }
        let root = node.ancestors().last().unwrap_or(node).id;
        match node.facts().constants.iter().position(|constant| constant.value == Some(root)) {
            Some(index) => self.constants.binary_search(&(node.file, index)).is_ok(),
            None => self.files.binary_search(&node.file).is_ok(),
        }
    }
}

/// Parts of a function that a process does not run.
pub type LeaveOut<'a> = dyn Fn(FunctionRef) -> Option<Vec<Range<ExprId>>> + 'a;

/// A process being followed from its `main`.
struct Walk<'w> {
    workspace: &'w Workspace,
    /// Crates that its code can come from.
    crates: Vec<CrateId>,
    reach: Reach,
    /// What is to be followed, and the crate that mentions it.
    open: VecDeque<(Target, CrateId)>,
    functions: HashSet<FunctionRef>,
    files: HashSet<RustIndex>,
    types: HashSet<TypeRef>,
    constants: HashSet<(RustIndex, usize)>,
    /// Names of methods called on who knows what, and the crates that do.
    names: HashMap<Name, Vec<CrateId>>,
    /// Crates whose inherent methods a crate can call: its dependencies and itself.
    visible: HashMap<CrateId, Vec<CrateId>>,
}

impl<'w> Walk<'w> {
    fn new(workspace: &'w Workspace, binary: CrateId) -> Self {
        Self {
            workspace,
            crates: workspace.names.reach(binary),
            reach: Reach::default(),
            open: entry_points(workspace, binary).into_iter().map(|target| (target, binary)).collect(),
            functions: HashSet::default(),
            files: HashSet::default(),
            types: HashSet::default(),
            constants: HashSet::default(),
            names: HashMap::default(),
            visible: HashMap::default(),
        }
    }

    fn end(mut self) -> Reach {
        let reach = &mut self.reach;
        reach.sorted.clone_from(&reach.functions);
        reach.sorted.sort_unstable();
        reach.files = self.files.into_iter().collect();
        reach.files.sort_unstable();
        reach.constants = self.constants.into_iter().collect();
        reach.constants.sort_unstable();
        self.reach
    }

    fn follow(&mut self, target: Target, by: CrateId, leave_out: &LeaveOut<'_>) {
        let graph = &self.workspace.graph;
        match target {
            Target::Function(function) => {
                let Some(krate) = self.compiled(function).filter(|_| self.functions.insert(function)) else { return };
                self.reach.functions.push(function);
                self.open.extend(graph.owner(function).map(|owner| (Target::Type(owner), krate)));
                if self.files.insert(function.file()) {
                    self.mentioned(graph.of_items(function.file()), krate);
                }
                let Some(parts) = leave_out(function) else {
                    return self.open.extend(graph.named(function).iter().map(|named| (named.clone(), krate)));
                };
                let runs = |mention: &&Mention| !parts.iter().any(|part| part.contains(&mention.at));
                let mentions = graph.of(self.workspace, function).iter().filter(runs);
                self.open.extend(mentions.map(|mention| (mention.of.clone(), krate)));
                if !parts.is_empty() {
                    self.reach.left_out.insert(function, parts);
                }
            }
            Target::Method(name) => {
                let callers = self.names.entry(name).or_default();
                if callers.contains(&by) {
                    return;
                }
                callers.push(by);
                for &method in graph.methods(&name) {
                    let made = graph.owner(method).is_none_or(|owner| self.types.contains(&owner));
                    if made && self.can_call(by, method) {
                        self.open.push_back((Target::Function(method), by));
                    }
                }
            }
            Target::Constant(name) => {
                for &(file, index) in graph.constants_named(&name) {
                    if self.constants.insert((file, index)) {
                        self.mentioned(graph.of_constant(file, index), by);
                    }
                }
            }
            Target::Type(ty) => {
                if self.types.insert(ty) {
                    self.made(ty, by);
                }
            }
        }
    }

    fn mentioned(&mut self, mentions: &[Mention], by: CrateId) {
        self.open.extend(mentions.iter().map(|mention| (mention.of.clone(), by)));
    }

    /// A trait's method may be called from anywhere; an inherent one only where its crate is known.
    fn can_call(&mut self, by: CrateId, method: FunctionRef) -> bool {
        if self.workspace.function(method).of_trait.is_some() {
            return true;
        }
        let names = &self.workspace.names;
        let visible = self.visible.entry(by).or_insert_with(|| names.reach(by));
        self.workspace.crates_of(method).any(|krate| visible.binary_search(&krate).is_ok())
    }

    /// The crate of this process that a function is part of, outside tests.
    fn compiled(&self, function: FunctionRef) -> Option<CrateId> {
        if self.workspace.function(function).test {
            return None;
        }
        self.workspace.crates_of(function).find(|krate| self.crates.binary_search(krate).is_ok())
    }

    /// A type is made: what outside code calls on it runs, and so may what was called by name.
    fn made(&mut self, ty: TypeRef, by: CrateId) {
        let graph = &self.workspace.graph;
        for &method in graph.methods_of(ty) {
            let item = self.workspace.function(method);
            let called_outside = item.of_trait.is_some() || item.attributes.iter().any(|found| gives_to_macro(&found.path));
            let callers = self.names.get(&item.name).cloned().unwrap_or_default();
            if called_outside || callers.into_iter().any(|caller| self.can_call(caller, method)) {
                self.open.push_back((Target::Function(method), by));
            }
        }
        self.open.extend(graph.parts(ty).iter().map(|part| (Target::Type(*part), by)));
    }
}

/// `main`, or what a framework makes one of: `#[rocket::launch] fn rocket()`.
fn entry_points(workspace: &Workspace, krate: CrateId) -> Vec<Target> {
    let root = &workspace.names.modules[workspace.names.crates[krate].root];
    let functions = workspace.rust[root.file].functions.iter().enumerate();
    let entries = functions.filter(|(_, function)| {
        let mut attributes = function.attributes.iter().filter_map(|attribute| attribute.path.last());
        let launched = attributes.any(|name| matches!(&**name, "main" | "launch"));
        function.owner.is_none() && function.module == root.module && (launched || &*function.name == "main")
    });
    entries.map(|(index, _)| Target::Function(FunctionRef::new(root.file, FunctionId::new(index)))).collect()
}

/// Attributes that the compiler itself, or a lint, reads; any other is a macro, which may register the function somewhere.
fn gives_to_macro(path: &[Name]) -> bool {
    const KNOWN: &[&str] = &[
        "allow",
        "automatically_derived",
        "cfg",
        "cfg_attr",
        "cold",
        "deny",
        "deprecated",
        "doc",
        "expect",
        "inline",
        "instrument",
        "must_use",
        "track_caller",
        "warn",
    ];
    path.last().is_some_and(|name| !KNOWN.contains(&&**name))
}

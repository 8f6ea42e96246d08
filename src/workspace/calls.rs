//! Who calls whom: which functions a binary can reach, and where a function is used.
//!
//! Errs on the side of reaching too much: a method whose receiver has no known type is every method of that name on a
//! type that the binary mentions, and a trait's methods are reached with the type.

use std::collections::{BTreeSet, HashMap, HashSet};

use rayon::prelude::*;

use super::Workspace;
use super::manifest::TargetKind;
use super::names::{CrateId, Definition, FunctionRef, RustIndex, TypeRef};
use super::query::Node;
use super::rust::{ExprId, ExprKind, FunctionId, Name, Type};

/// Uses of functions, types and methods, by the function that contains them.
#[derive(Debug, Default)]
pub struct Calls {
    mentions: HashMap<FunctionRef, Mentions>,
    /// Outside any function: constants and item macros, by file.
    items: HashMap<RustIndex, Mentions>,
    callers: HashMap<FunctionRef, Vec<(RustIndex, ExprId)>>,
    methods: HashMap<TypeRef, Vec<FunctionRef>>,
    /// Methods of types that are not the workspace's own.
    foreign: Vec<FunctionRef>,
}

#[derive(Clone, Debug, Default)]
struct Mentions {
    functions: BTreeSet<FunctionRef>,
    types: BTreeSet<TypeRef>,
    /// Methods called on something whose type is unknown.
    methods: BTreeSet<Name>,
}

/// What one file adds.
#[derive(Default)]
struct FileCalls {
    mentions: HashMap<Option<FunctionId>, Mentions>,
    callers: Vec<(FunctionRef, ExprId)>,
}

impl Calls {
    /// Needs `names` and `index` to be there.
    pub fn build(workspace: &Workspace) -> Self {
        let mut calls = Self::default();
        let mut by_name: HashMap<&str, Vec<FunctionRef>> = HashMap::new();
        for (file, facts) in workspace.rust.iter().enumerate() {
            for (index, function) in facts.functions.iter().enumerate() {
                let reference = FunctionRef { file, function: FunctionId::new(index) };
                let (Some(owner), true) = (&function.owner, ships(workspace, reference)) else { continue };
                by_name.entry(&function.name).or_default().push(reference);
                let module = workspace.names.modules_of(file, function.module).first();
                match module.map(|&module| workspace.names.resolve(&workspace.rust, module, owner, None)) {
                    Some(Definition::Type(ty)) => calls.methods.entry(ty).or_default().push(reference),
                    _ => calls.foreign.push(reference),
                }
            }
        }
        let files: Vec<FileCalls> =
            (0..workspace.rust.len()).into_par_iter().map(|file| read(workspace, file, &by_name)).collect();
        for (file, found) in files.into_iter().enumerate() {
            for (function, mentions) in found.mentions {
                match function {
                    Some(function) => drop(calls.mentions.insert(FunctionRef { file, function }, mentions)),
                    None => drop(calls.items.insert(file, mentions)),
                }
            }
            for (function, id) in found.callers {
                calls.callers.entry(function).or_default().push((file, id));
            }
        }
        calls
    }

    /// Where a function is called or handed on: the call, or the path that names it.
    pub fn callers<'w>(&self, workspace: &'w Workspace, function: FunctionRef) -> impl Iterator<Item = Node<'w>> {
        let places = self.callers.get(&function).map_or(&[][..], Vec::as_slice);
        places.iter().map(move |&(file, id)| Node { workspace, file, id })
    }

    /// Every function that a crate's entry point can reach, in path and source order.
    pub fn reach(&self, workspace: &Workspace, krate: CrateId) -> BTreeSet<FunctionRef> {
        let crates = workspace.names.reach(krate);
        let within = |function: FunctionRef| {
            let modules = workspace.names.modules_of(function.file, workspace.function(function).module);
            modules.iter().any(|&module| crates.binary_search(&workspace.names.modules[module].krate).is_ok())
        };
        let mut search = Search {
            calls: self,
            workspace,
            found: BTreeSet::new(),
            types: HashSet::new(),
            methods: HashSet::new(),
            open: Vec::new(),
        };
        let root = &workspace.names.modules[workspace.names.crates[krate].root];
        for (index, function) in workspace.rust[root.file].functions.iter().enumerate() {
            let launched = function
                .attributes
                .iter()
                .any(|attribute| attribute.path.last().is_some_and(|name| matches!(&**name, "main" | "launch")));
            if function.module == root.module && (launched || &*function.name == "main") {
                search.function(FunctionRef { file: root.file, function: FunctionId::new(index) });
            }
        }
        for (&file, mentions) in &self.items {
            let modules = workspace.names.modules_of(file, super::rust::ModuleId::root());
            if modules.iter().any(|&module| crates.binary_search(&workspace.names.modules[module].krate).is_ok()) {
                search.mentions(mentions);
            }
        }
        self.foreign.iter().copied().filter(|&function| within(function)).for_each(|function| search.function(function));
        while let Some(function) = search.open.pop() {
            if let Some(mentions) = self.mentions.get(&function) {
                search.mentions(mentions);
            }
        }
        search.found
    }
}

struct Search<'a> {
    calls: &'a Calls,
    workspace: &'a Workspace,
    found: BTreeSet<FunctionRef>,
    types: HashSet<TypeRef>,
    methods: HashSet<Name>,
    open: Vec<FunctionRef>,
}

impl Search<'_> {
    fn function(&mut self, function: FunctionRef) {
        if self.found.insert(function) {
            self.open.push(function);
        }
    }

    fn mentions(&mut self, mentions: &Mentions) {
        mentions.functions.iter().for_each(|&function| self.function(function));
        for name in &mentions.methods {
            if self.methods.insert(name.clone()) {
                for ty in self.types.clone() {
                    self.methods_of(ty, |function, _| function == &**name);
                }
            }
        }
        for &ty in &mentions.types {
            if self.types.insert(ty) {
                self.methods_of(ty, |name, methods| methods.contains(name));
            }
        }
    }

    /// A type that is mentioned brings what its traits call, and the methods that somebody calls by name.
    fn methods_of(&mut self, ty: TypeRef, called: impl Fn(&str, &HashSet<Name>) -> bool) {
        for &method in self.calls.methods.get(&ty).map_or(&[][..], Vec::as_slice) {
            let function = self.workspace.function(method);
            if function.of_trait.is_some() || called(&function.name, &self.methods) {
                self.function(method);
            }
        }
    }
}

fn ships(workspace: &Workspace, function: FunctionRef) -> bool {
    let facts = &workspace.rust[function.file];
    let item = facts.function(function.function);
    !item.test
        && !facts.generated
        && workspace.names.modules_of(function.file, item.module).iter().any(|&module| {
            let node = &workspace.names.modules[module];
            !node.test && matches!(workspace.names.crates[node.krate].kind, TargetKind::Lib | TargetKind::Bin)
        })
}

fn read(workspace: &Workspace, file: RustIndex, by_name: &HashMap<&str, Vec<FunctionRef>>) -> FileCalls {
    let facts = &workspace.rust[file];
    let mut found = FileCalls::default();
    if facts.generated {
        return found;
    }
    for (index, function) in facts.functions.iter().enumerate() {
        let reference = FunctionRef { file, function: FunctionId::new(index) };
        if let (true, Some(body)) = (ships(workspace, reference), workspace.body(reference)) {
            let mentions = found.mentions.entry(Some(reference.function)).or_default();
            for ty in function.parameters.iter().map(|parameter| &parameter.ty).chain(&function.returns) {
                mention_types(body, ty, &mut mentions.types);
            }
            if let Some(of_trait) = &function.of_trait {
                mention_path(body, of_trait, &mut mentions.types);
            }
        }
    }
    for (index, expr) in facts.expressions.iter().enumerate() {
        let node = Node { workspace, file, id: ExprId::new(index) };
        if !matches!(expr.kind, ExprKind::Path(_) | ExprKind::Struct { .. } | ExprKind::Method { .. }) || !node.ships() {
            continue;
        }
        let mentions = found.mentions.entry(expr.function).or_default();
        match &expr.kind {
            ExprKind::Method { receiver, name, .. } => {
                let Some(candidates) = by_name.get(&**name) else { continue };
                let mut callees = match node.with(*receiver).ty() {
                    Definition::External(_) => continue,
                    Definition::Type(ty) => workspace.names.method(ty, name).into_iter().collect(),
                    _ => Vec::new(),
                };
                if callees.is_empty() {
                    mentions.methods.insert(name.clone());
                    callees.clone_from(candidates);
                } else {
                    mentions.functions.extend(&callees);
                }
                found.callers.extend(callees.into_iter().map(|callee| (callee, node.id)));
            }
            ExprKind::Path(path) => match node.definition() {
                Definition::Function(function) => {
                    mentions.functions.insert(function);
                    let call = node
                        .parent()
                        .filter(|parent| matches!(parent.kind(), ExprKind::Call { callee, .. } if *callee == node.id));
                    found.callers.push((function, call.unwrap_or(node).id));
                    mention_path(node, &path[..path.len() - 1], &mut mentions.types);
                }
                Definition::Type(ty) => drop(mentions.types.insert(ty)),
                Definition::Other | Definition::Unknown if path.len() > 1 => {
                    mention_path(node, &path[..path.len() - 1], &mut mentions.types);
                }
                _ => {}
            },
            ExprKind::Struct { path, .. } => mention_path(node, path, &mut mentions.types),
            _ => {}
        }
    }
    found
}

fn mention_types(at: Node<'_>, ty: &Type, types: &mut BTreeSet<TypeRef>) {
    if let Definition::Type(found) = at.meaning(ty) {
        types.insert(found);
    }
    ty.arguments.iter().for_each(|argument| mention_types(at, argument, types));
}

fn mention_path(at: Node<'_>, path: &[Name], types: &mut BTreeSet<TypeRef>) {
    let Some(&module) = at.modules().first() else { return };
    let owner = at.function().and_then(|function| at.workspace.function(function).owner.as_ref());
    if let Definition::Type(ty) = at.workspace.names.resolve(&at.workspace.rust, module, path, owner) {
        types.insert(ty);
    }
}

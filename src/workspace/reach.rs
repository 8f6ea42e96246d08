//! What runs: which functions mention which, and what of all that a service's process reaches from its `main`.
//!
//! Calls are followed by what paths mean and by the types that are written down. A method whose receiver has no known
//! type may be any method of that name, of a type that the process makes: code is left out only when nothing leads to it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use rayon::prelude::*;

use super::manifest::TargetKind;
use super::names::{CrateId, Definition, FunctionRef, RustIndex, TypeRef};
use super::query::Node;
use super::rust::{ExprId, ExprKind, FunctionId, Name, RustFile, Type, TypeKind};
use super::{Service, Workspace};

/// Who mentions whom, in the whole workspace.
#[derive(Debug, Default)]
pub struct Graph {
    /// By file, by function: what its body mentions, in source order.
    functions: Vec<Vec<Vec<Mention>>>,
    /// By file, by constant.
    constants: Vec<Vec<Vec<Mention>>>,
    /// Where functions and constants are mentioned: by a path, or a method whose receiver's type is known.
    places: HashMap<Target, Vec<(RustIndex, ExprId)>>,
    /// Methods by name.
    methods: HashMap<Name, Vec<FunctionRef>>,
    /// Methods of a type, those of its traits too.
    methods_of: HashMap<TypeRef, Vec<FunctionRef>>,
    /// Implementations by name, of a trait of the workspace.
    implementations: HashMap<(TypeRef, Name), Vec<FunctionRef>>,
    /// The type that a method belongs to.
    owners: HashMap<FunctionRef, TypeRef>,
    /// Constants by name.
    constants_by_name: HashMap<Name, Vec<(RustIndex, usize)>>,
}

/// One mention of something that can run or hold code.
#[derive(Clone, Debug)]
pub struct Mention {
    pub at: ExprId,
    pub of: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Function(FunctionRef),
    /// A method whose receiver's type is not known.
    Method(Name),
    Type(TypeRef),
    Constant(Name),
}

/// What one process runs.
#[derive(Debug, Default)]
pub struct Reach {
    functions: HashSet<FunctionRef>,
    constants: HashSet<(RustIndex, usize)>,
    /// Parts of reached functions that this process does not run: other subcommands, early exits of `main`.
    left_out: HashMap<FunctionRef, Vec<Range<ExprId>>>,
}

impl Graph {
    pub fn build(workspace: &Workspace) -> Self {
        let mut graph = Self::default();
        for (file, facts) in workspace.rust.iter().enumerate() {
            for (index, constant) in facts.constants.iter().enumerate() {
                graph.constants_by_name.entry(constant.name.clone()).or_default().push((file, index));
            }
            graph.collect_methods(workspace, file, facts);
        }
        let mentions: Vec<_> = workspace
            .rust
            .par_iter()
            .enumerate()
            .map(|(file, facts)| {
                let of_body = |body: Option<ExprId>| match body {
                    Some(id) => graph.mentions(Node { workspace, file, id }),
                    None => Vec::new(),
                };
                let functions = facts.functions.iter().map(|function| {
                    let mut found = of_body(function.body);
                    let at = function.body.unwrap_or(ExprId::new(0));
                    let node = Node { workspace, file, id: at };
                    let types = function.parameters.iter().map(|parameter| &parameter.ty).chain(&function.returns);
                    if function.body.is_some() {
                        types.for_each(|ty| mentioned_types(node, ty, &mut found));
                    }
                    found
                });
                let constants = facts.constants.iter().map(|constant| of_body(constant.value));
                (functions.collect(), constants.collect())
            })
            .collect();
        (graph.functions, graph.constants) = mentions.into_iter().unzip();
        graph.collect_places();
        graph
    }

    fn collect_methods(&mut self, workspace: &Workspace, file: RustIndex, facts: &RustFile) {
        for (index, function) in facts.functions.iter().enumerate() {
            let Some(owner) = &function.owner else { continue };
            let method = FunctionRef { file, function: FunctionId::new(index) };
            self.methods.entry(function.name.clone()).or_default().push(method);
            let Some(&module) = workspace.names.modules_of(file, function.module).first() else { continue };
            let resolve = |path| workspace.names.resolve(&workspace.rust, module, path, None);
            if let Definition::Type(ty) = resolve(owner) {
                self.owners.insert(method, ty);
                self.methods_of.entry(ty).or_default().push(method);
            }
            if let Some(Definition::Type(of_trait)) = function.of_trait.as_deref().map(resolve) {
                self.implementations.entry((of_trait, function.name.clone())).or_default().push(method);
            }
        }
    }

    fn mentions(&self, body: Node<'_>) -> Vec<Mention> {
        let mut found = Vec::new();
        for node in body.descendants() {
            match node.kind() {
                ExprKind::Path(path) | ExprKind::Struct { path, .. } | ExprKind::Macro { path, .. } => {
                    let mut push = |of| found.push(Mention { at: node.id, of });
                    match node.definition() {
                        Definition::Function(function) => push(Target::Function(function)),
                        Definition::Type(ty) => push(Target::Type(ty)),
                        Definition::Other | Definition::Unknown => match path.last() {
                            Some(name) if self.constants_by_name.contains_key(name) => push(Target::Constant(name.clone())),
                            // `T::new`, a method of a trait, a variant: `Enum::Variant` makes an `Enum`.
                            Some(name) if path.len() > 1 => {
                                push(Target::Method(name.clone()));
                                if let Definition::Type(ty) = node.resolve(&path[..path.len() - 1]) {
                                    push(Target::Type(ty));
                                }
                            }
                            _ => {}
                        },
                        Definition::External(_) | Definition::Module(_) => {}
                    }
                }
                ExprKind::Method { receiver, name, turbofish, .. } => {
                    turbofish.iter().for_each(|ty| mentioned_types(node, ty, &mut found));
                    if self.methods.contains_key(name) {
                        self.method(node, node.with(*receiver), name, &mut found);
                    }
                }
                ExprKind::Let { ty: Some(ty), .. } => mentioned_types(node, ty, &mut found),
                _ => {}
            }
        }
        found
    }

    fn method(&self, node: Node<'_>, receiver: Node<'_>, name: &Name, found: &mut Vec<Mention>) {
        let mut push = |of| found.push(Mention { at: node.id, of });
        let Definition::Type(ty) = receiver.ty() else { return push(Target::Method(name.clone())) };
        match node.workspace.names.method(ty, name) {
            Some(method) => push(Target::Function(method)),
            None => push(Target::Method(name.clone())),
        }
        let implementations = self.implementations.get(&(ty, name.clone()));
        implementations.into_iter().flatten().for_each(|method| push(Target::Function(*method)));
    }

    pub fn of(&self, function: FunctionRef) -> &[Mention] {
        &self.functions[function.file][function.function.index()]
    }

    /// Functions that lead to one of `targets` by what is written down: callers, their callers, …; themselves too.
    pub fn leading_to(&self, workspace: &Workspace, targets: impl IntoIterator<Item = FunctionRef>) -> HashSet<FunctionRef> {
        let mut open: Vec<_> = targets.into_iter().collect();
        let mut found: HashSet<_> = open.iter().copied().collect();
        while let Some(function) = open.pop() {
            let callers = self.places(workspace, &Target::Function(function)).filter_map(Node::function);
            open.extend(callers.filter(|caller| found.insert(*caller)));
        }
        found
    }

    /// The paths and method calls that certainly mean this function or constant, in path and source order.
    pub fn places<'w>(&'w self, workspace: &'w Workspace, target: &Target) -> impl Iterator<Item = Node<'w>> + use<'w> {
        self.places.get(target).into_iter().flatten().map(move |&(file, id)| Node { workspace, file, id })
    }

    fn collect_places(&mut self) {
        for all in [&self.functions, &self.constants] {
            for (file, mentions) in all.iter().enumerate() {
                for mention in mentions.iter().flatten() {
                    if matches!(mention.of, Target::Function(_) | Target::Constant(_)) {
                        self.places.entry(mention.of.clone()).or_default().push((file, mention.at));
                    }
                }
            }
        }
    }
}

/// Types of the workspace that a written type names, its arguments too.
fn mentioned_types(node: Node<'_>, ty: &Type, found: &mut Vec<Mention>) {
    if let Definition::Type(ty) = node.resolve(&ty.path) {
        found.push(Mention { at: node.id, of: Target::Type(ty) });
    }
    ty.arguments.iter().for_each(|ty| mentioned_types(node, ty, found));
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

/// A process being followed from its `main`.
struct Walk<'w> {
    workspace: &'w Workspace,
    /// Crates that its code can come from.
    crates: HashSet<usize>,
    reach: Reach,
    open: Vec<Target>,
    types: HashSet<TypeRef>,
    /// Names of methods called on who knows what.
    names: HashSet<Name>,
}

impl Reach {
    /// What the process of a service runs, save what `leave_out` says of a function.
    pub fn of(workspace: &Workspace, service: &Service, leave_out: &dyn Fn(FunctionRef) -> Vec<Range<ExprId>>) -> Self {
        let Some(krate) = binary(workspace, service) else { return Self::default() };
        let crates = workspace.names.reach(krate).into_iter().collect();
        let mut walk = Walk {
            workspace,
            crates,
            reach: Self::default(),
            open: entry_points(workspace, krate),
            types: HashSet::new(),
            names: HashSet::new(),
        };
        while let Some(target) = walk.open.pop() {
            walk.follow(target, leave_out);
        }
        walk.reach
    }

    /// Whether the process runs this expression.
    pub fn runs(&self, node: Node<'_>) -> bool {
        match node.function() {
            Some(function) => {
                let left_out = self.left_out.get(&function);
                self.functions.contains(&function)
                    && !left_out.is_some_and(|parts| parts.iter().any(|part| part.contains(&node.id)))
            }
            None => {
                let root = node.ancestors().last().unwrap_or(node).id;
                let constants = node.facts().constants.iter().enumerate();
                let mut holds = constants.filter(|(_, constant)| constant.value == Some(root));
                holds.any(|(index, _)| self.constants.contains(&(node.file, index)))
            }
        }
    }
}

/// The crate of a service's binary.
fn binary(workspace: &Workspace, service: &Service) -> Option<CrateId> {
    let targets = &workspace.packages[service.package].targets;
    workspace.names.crates.iter().position(|krate| {
        krate.package == service.package && krate.kind == TargetKind::Bin && targets[krate.target].name == service.binary
    })
}

/// `main`, or what a framework makes one of: `#[rocket::launch] fn rocket()`.
fn entry_points(workspace: &Workspace, krate: CrateId) -> Vec<Target> {
    let root = &workspace.names.modules[workspace.names.crates[krate].root];
    let functions = workspace.rust[root.file].functions.iter().enumerate();
    let entries = functions.filter(|(_, function)| {
        let mut attributes = function.attributes.iter();
        let launched = attributes.any(|attribute| attribute.path.last().is_some_and(|name| &**name == "launch"));
        function.owner.is_none() && function.module == root.module && (launched || &*function.name == "main")
    });
    entries.map(|(index, _)| Target::Function(FunctionRef { file: root.file, function: FunctionId::new(index) })).collect()
}

impl Walk<'_> {
    fn follow(&mut self, target: Target, leave_out: &dyn Fn(FunctionRef) -> Vec<Range<ExprId>>) {
        let graph = &self.workspace.graph;
        match target {
            Target::Function(function) => {
                if !self.compiled(function) || !self.reach.functions.insert(function) {
                    return;
                }
                self.open.extend(graph.owners.get(&function).map(|owner| Target::Type(*owner)));
                let parts = leave_out(function);
                let runs = |mention: &&Mention| !parts.iter().any(|part| part.contains(&mention.at));
                self.open.extend(graph.of(function).iter().filter(runs).map(|mention| mention.of.clone()));
                if !parts.is_empty() {
                    self.reach.left_out.insert(function, parts);
                }
            }
            Target::Method(name) => {
                if self.names.insert(name.clone()) {
                    let methods = graph.methods.get(&name).into_iter().flatten();
                    let made = |method: &&FunctionRef| graph.owners.get(method).is_none_or(|owner| self.types.contains(owner));
                    self.open.extend(methods.filter(made).map(|method| Target::Function(*method)));
                }
            }
            Target::Constant(name) => {
                for &(file, index) in graph.constants_by_name.get(&name).into_iter().flatten() {
                    if self.reach.constants.insert((file, index)) {
                        self.open.extend(graph.constants[file][index].iter().map(|mention| mention.of.clone()));
                    }
                }
            }
            Target::Type(ty) => {
                if self.types.insert(ty) {
                    self.made(ty);
                }
            }
        }
    }

    /// Whether a function is part of the crates that this process is made of, and of no test.
    fn compiled(&self, function: FunctionRef) -> bool {
        let item = self.workspace.function(function);
        let modules = self.workspace.names.modules_of(function.file, item.module);
        !item.test && modules.iter().any(|module| self.crates.contains(&self.workspace.names.modules[*module].krate))
    }

    /// A type is made: what outside code calls on it runs, and so may what was called by name.
    fn made(&mut self, ty: TypeRef) {
        let Workspace { graph, rust, names, .. } = self.workspace;
        for method in graph.methods_of.get(&ty).into_iter().flatten() {
            let item = self.workspace.function(*method);
            let called_outside = item.of_trait.is_some() || item.attributes.iter().any(|found| gives_to_macro(&found.path));
            if called_outside || self.names.contains(&item.name) {
                self.open.push(Target::Function(*method));
            }
        }
        let item = ty.get(rust);
        let Some(&module) = names.modules_of(ty.file, item.module).first() else { return };
        let mut open: Vec<&Type> = match &item.kind {
            TypeKind::Struct(fields) => fields.iter().map(|field| &field.ty).collect(),
            TypeKind::Enum(variants) => variants.iter().flat_map(|variant| &variant.types).collect(),
            TypeKind::Alias(target) => vec![target],
            TypeKind::Trait => Vec::new(),
        };
        while let Some(part) = open.pop() {
            if let Definition::Type(found) = names.resolve(rust, module, &part.path, None) {
                self.open.push(Target::Type(found));
            }
            open.extend(&part.arguments);
        }
    }
}

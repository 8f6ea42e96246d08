//! Which functions mention which, and where each is used: built once, from what paths mean and from the types that are
//! written down.

use rayon::prelude::*;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::Workspace;
use super::names::{Definition, FunctionRef, RustIndex, TypeRef};
use super::query::Node;
use super::rust::{ExprId, ExprKind, FunctionId, Name, RustFile, Type};

/// Who mentions whom, in the whole workspace.
#[derive(Debug, Default)]
pub struct Graph {
    /// By file, by function: what its body mentions, in source order.
    functions: Vec<Vec<Vec<Mention>>>,
    /// By file, by constant.
    constants: Vec<Vec<Vec<Mention>>>,
    /// By file: macros among the items.
    items: Vec<Vec<Mention>>,
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
                let items = facts.item_macros.iter().flat_map(|id| of_body(Some(*id)));
                (functions.collect(), constants.collect(), items.collect())
            })
            .collect();
        for (functions, constants, items) in mentions {
            graph.functions.push(functions);
            graph.constants.push(constants);
            graph.items.push(items);
        }
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
                    turbofish.iter().flat_map(|turbofish| &turbofish.0).for_each(|ty| mentioned_types(node, ty, &mut found));
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

    /// What a constant's value mentions.
    pub fn of_constant(&self, file: RustIndex, index: usize) -> &[Mention] {
        &self.constants[file][index]
    }

    /// What macros among the items of a file mention.
    pub fn of_items(&self, file: RustIndex) -> &[Mention] {
        &self.items[file]
    }

    /// Methods of that name.
    pub fn methods(&self, name: &Name) -> &[FunctionRef] {
        self.methods.get(name).map_or(&[], Vec::as_slice)
    }

    /// Methods of a type, those of its traits too.
    pub fn methods_of(&self, ty: TypeRef) -> &[FunctionRef] {
        self.methods_of.get(&ty).map_or(&[], Vec::as_slice)
    }

    /// The type of the workspace that a method belongs to.
    pub fn owner(&self, method: FunctionRef) -> Option<TypeRef> {
        self.owners.get(&method).copied()
    }

    /// File and index of the constants of that name.
    pub fn constants_named(&self, name: &Name) -> &[(RustIndex, usize)] {
        self.constants_by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Where a function may be called or is handed on: the call, or the path that names it. Calls of its name on who knows
    /// what count too.
    pub fn callers<'w>(&'w self, workspace: &'w Workspace, function: FunctionRef) -> impl Iterator<Item = Node<'w>> {
        let called = |place: Node<'w>| {
            let is_callee = |parent: &Node<'w>| matches!(parent.kind(), ExprKind::Call { callee, .. } if *callee == place.id);
            place.parent().filter(is_callee).unwrap_or(place)
        };
        let item = workspace.function(function);
        let namesakes = item.owner.iter().flat_map(|_| workspace.methods(&item.name)).filter(|call| {
            let of = call.receiver().map_or(Definition::Unknown, Node::ty);
            !matches!(of, Definition::External(_) | Definition::Type(_))
        });
        self.places(workspace, &Target::Function(function)).map(called).chain(namesakes)
    }

    /// What a function mentions, in source order.
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

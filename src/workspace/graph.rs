//! Which functions mention which, and where each is used: from what paths mean and from the types that are written down.
//!
//! What a body names is told by its tokens, without the types of what methods are called on: that is enough to know what may
//! run. What it means to the letter is worked out for the bodies that somebody asks about.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::OnceLock;

use rayon::prelude::*;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::Workspace;
use super::http::Place;
use super::names::{Definition, FunctionRef, RustIndex, TypeRef};
use super::query::Node;
use super::rust::{ExprId, ExprKind, FunctionId, ModuleId, Name, Outline, RustFile, Segments, Type, TypeItem, TypeKind};

/// Who mentions whom, in the whole workspace.
#[derive(Debug, Default)]
pub struct Graph {
    /// By file, by function: what it may lead to.
    named: Vec<Vec<Box<[Target]>>>,
    /// By file, by function: what its body mentions, in source order, once somebody asked.
    mentions: Vec<Vec<OnceLock<Vec<Mention>>>>,
    /// By file, by constant.
    constants: Vec<Vec<Vec<Mention>>>,
    /// By file: macros among the items.
    items: Vec<Vec<Mention>>,
    /// Where functions and constants are mentioned in what is parsed with its file.
    places: HashMap<Target, Vec<Place>>,
    /// Bodies, by the functions and constants that their paths mean, and by the workspace's methods that they may call.
    bodies: HashMap<Target, Vec<FunctionRef>>,
    /// Functions, by what the paths in their bodies mean outside the workspace.
    outside: BTreeMap<&'static str, Vec<FunctionRef>>,
    /// Methods by name.
    methods: HashMap<Name, Vec<FunctionRef>>,
    /// Methods of a type, those of its traits too.
    methods_of: HashMap<TypeRef, Vec<FunctionRef>>,
    /// Implementations by name, of a trait of the workspace.
    implementations: HashMap<(TypeRef, Name), Vec<FunctionRef>>,
    /// The type that a method belongs to.
    owners: HashMap<FunctionRef, TypeRef>,
    /// By file, by type: the types of what it holds.
    parts: Vec<Vec<Box<[TypeRef]>>>,
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
                graph.constants_by_name.entry(constant.name).or_default().push((file, index));
            }
            graph.collect_methods(workspace, file, facts);
        }
        let read = workspace.rust.par_iter().with_max_len(1).enumerate().map(|(file, facts)| graph.read(workspace, file, facts));
        let mut outside: HashMap<&str, Vec<FunctionRef>> = HashMap::default();
        for (file, read) in read.collect::<Vec<_>>().into_iter().enumerate() {
            for (target, place) in read.places {
                graph.places.entry(target).or_default().push((file, place));
            }
            for (path, function) in read.outside {
                outside.entry(path).or_default().push(function);
            }
            graph.named.push(read.named);
            graph.mentions.push(read.mentions);
            graph.constants.push(read.constants);
            graph.items.push(read.items);
            graph.parts.push(read.parts);
        }
        graph.outside = outside.into_iter().collect();
        graph.collect_bodies(workspace);
        graph.places.values_mut().for_each(Vec::shrink_to_fit);
        graph.bodies.values_mut().for_each(Vec::shrink_to_fit);
        graph
    }

    fn read(&self, workspace: &Workspace, file: RustIndex, facts: &RustFile) -> Read {
        let mut read = Read::default();
        // A file's functions name the same few things again and again.
        let mut meanings: HashMap<(ModuleId, Segments), Definition> = HashMap::default();
        let of_value = |id: ExprId| self.mentions(Node { workspace, file, id });
        let mut seen: HashSet<Target> = HashSet::default();
        for (index, item) in facts.functions.iter().enumerate() {
            let function = FunctionRef::new(file, FunctionId::new(index));
            let mut named = Vec::new();
            let known = OnceLock::new();
            match workspace.outline(function) {
                Some(outline) => {
                    let mut meaning = |path: &Segments| match &**path {
                        [first, ..] if **first == *"Self" => workspace.meaning_in(function, path),
                        _ => {
                            let known = meanings.entry((item.module, *path));
                            *known.or_insert_with(|| workspace.meaning_in(function, path))
                        }
                    };
                    self.outlined(workspace, function, outline, &mut meaning, &mut named, &mut read.outside);
                }
                None => {
                    let parts = workspace.body(function).into_iter().flat_map(Node::descendants);
                    read.outside.extend(parts.filter_map(|part| Some((part.external()?, function))));
                    let mentions = item.body.map(of_value).unwrap_or_default();
                    named.extend(mentions.iter().map(|mention| mention.of.clone()));
                    read.place(&mentions);
                    known.get_or_init(|| mentions);
                }
            }
            if item.body.is_some() {
                let types = item.parameters.iter().map(|parameter| &parameter.ty).chain(&item.returns);
                types.for_each(|ty| {
                    types_in(&|path| workspace.meaning_in(function, path), ty, &mut |ty| named.push(Target::Type(ty)))
                });
            }
            named.retain(|target| seen.insert(target.clone()));
            seen.clear();
            read.named.push(named.into());
            read.mentions.push(known);
        }
        for constant in &facts.constants {
            let mentions = constant.value.map(of_value).unwrap_or_default();
            read.place(&mentions);
            read.constants.push(mentions);
        }
        read.parts = facts.types.iter().map(|item| parts(workspace, file, item)).collect();
        read.items = facts.item_macros.iter().flat_map(|id| of_value(*id)).collect();
        read
    }

    /// What a body's tokens may lead to, and what they name outside.
    fn outlined(
        &self,
        workspace: &Workspace,
        function: FunctionRef,
        outline: &Outline,
        meaning: &mut dyn FnMut(&Segments) -> Definition,
        named: &mut Vec<Target>,
        outside: &mut Vec<(&'static str, FunctionRef)>,
    ) {
        for path in &outline.paths {
            match meaning(path) {
                Definition::External(path) => outside.push((path, function)),
                meaning => self.path(path, meaning, &|path| workspace.meaning_in(function, path), &mut |of| named.push(of)),
            }
        }
        let methods = outline.methods.iter().filter(|name| self.methods.contains_key(*name));
        named.extend(methods.map(|name| Target::Method(*name)));
    }

    fn collect_bodies(&mut self, workspace: &Workspace) {
        for (file, functions) in self.named.iter().enumerate() {
            for (index, named) in functions.iter().enumerate() {
                let function = FunctionRef::new(file, FunctionId::new(index));
                if workspace.outline(function).is_some() {
                    for target in named.iter().filter(|target| !matches!(target, Target::Type(_))) {
                        self.bodies.entry(target.clone()).or_default().push(function);
                    }
                }
            }
        }
    }

    fn collect_methods(&mut self, workspace: &Workspace, file: RustIndex, facts: &RustFile) {
        for (index, function) in facts.functions.iter().enumerate() {
            let Some(owner) = &function.owner else { continue };
            let method = FunctionRef::new(file, FunctionId::new(index));
            self.methods.entry(function.name).or_default().push(method);
            let Some(&module) = workspace.names.modules_of(file, function.module).first() else { continue };
            let resolve = |path| workspace.names.resolve(&workspace.rust, module, path, None);
            if let Definition::Type(ty) = resolve(owner) {
                self.owners.insert(method, ty);
                self.methods_of.entry(ty).or_default().push(method);
            }
            if let Some(Definition::Type(of_trait)) = function.of_trait.as_deref().map(resolve) {
                self.implementations.entry((of_trait, function.name)).or_default().push(method);
            }
        }
    }

    fn mentions(&self, body: Node<'_>) -> Vec<Mention> {
        let mut found = Vec::new();
        for node in body.descendants() {
            match node.kind() {
                ExprKind::Path(path) | ExprKind::Struct { path, .. } | ExprKind::Macro { path, .. } => {
                    let mut push = |of| found.push(Mention { at: node.id, of });
                    self.path(path, node.definition(), &|path| node.resolve(path), &mut push);
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

    /// What a path may lead to.
    fn path(&self, path: &[Name], meaning: Definition, resolve: &dyn Fn(&[Name]) -> Definition, push: &mut dyn FnMut(Target)) {
        match meaning {
            Definition::Function(function) => push(Target::Function(function)),
            Definition::Type(ty) => push(Target::Type(ty)),
            Definition::Other | Definition::Unknown => match path {
                [.., name] if self.constants_by_name.contains_key(name) => push(Target::Constant(*name)),
                // `T::new`, a method of a trait, a variant: `Enum::Variant` makes an `Enum`.
                [base @ .., name] if !base.is_empty() => {
                    push(Target::Method(*name));
                    if let Definition::Type(ty) = resolve(base) {
                        push(Target::Type(ty));
                    }
                }
                _ => {}
            },
            Definition::External(_) | Definition::Module(_) => {}
        }
    }

    fn method(&self, node: Node<'_>, receiver: Node<'_>, name: &Name, found: &mut Vec<Mention>) {
        let mut push = |of| found.push(Mention { at: node.id, of });
        let Definition::Type(ty) = receiver.ty() else { return push(Target::Method(*name)) };
        match node.workspace.names.method(ty, *name) {
            Some(method) => push(Target::Function(method)),
            None => push(Target::Method(*name)),
        }
        let implementations = self.implementations.get(&(ty, *name));
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

    /// The types of the workspace that a type is made of, or an alias of.
    pub fn parts(&self, ty: TypeRef) -> &[TypeRef] {
        &self.parts[ty.file()][ty.index()]
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
        let has_self = item.parameters.first().is_some_and(|first| first.name.as_deref() == Some("self"));
        let namesakes = has_self.then(|| workspace.methods(&item.name)).into_iter().flatten().filter(|call| {
            let of = call.receiver().map_or(Definition::Unknown, Node::ty);
            !matches!(of, Definition::External(_) | Definition::Type(_))
        });
        self.places(workspace, &Target::Function(function)).map(called).chain(namesakes)
    }

    /// What a function mentions, in source order.
    pub fn of(&self, workspace: &Workspace, function: FunctionRef) -> &[Mention] {
        let body = || workspace.body(function).map(|body| self.mentions(body)).unwrap_or_default();
        self.mentions[function.file()][function.function.index()].get_or_init(body)
    }

    /// What a function may lead to: more than it mentions, as the types of what methods are called on are not asked for.
    pub fn named(&self, function: FunctionRef) -> &[Target] {
        &self.named[function.file()][function.function.index()]
    }

    /// Functions with a path in their body that means just this, outside the workspace.
    pub fn naming(&self, path: &str) -> &[FunctionRef] {
        self.outside.get(path).map_or(&[], Vec::as_slice)
    }

    /// Functions with such a path that `is_it` says yes to.
    pub fn naming_any(&self, is_it: impl Fn(&str) -> bool) -> impl Iterator<Item = FunctionRef> {
        self.outside.iter().filter(move |(path, _)| is_it(path)).flat_map(|(_, functions)| functions).copied()
    }

    /// All such paths that start so.
    pub fn outside_below<'g>(&'g self, start: &str) -> impl Iterator<Item = &'g str> {
        let start = start.to_owned();
        let range = self.outside.range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded));
        range.map(|(path, _)| *path).take_while(move |path| path.starts_with(&start))
    }

    /// Functions that lead to one of `targets` by what is written down: callers, their callers, …; themselves too.
    pub fn leading_to(&self, workspace: &Workspace, targets: impl IntoIterator<Item = FunctionRef>) -> HashSet<FunctionRef> {
        let mut open: Vec<_> = targets.into_iter().collect();
        let mut found: HashSet<_> = open.iter().copied().collect();
        while let Some(function) = open.pop() {
            open.extend(self.calling(workspace, function).filter(|caller| found.insert(*caller)));
        }
        found
    }

    /// The same, worked out on all threads: most of it is to parse bodies. Not for what runs beside others already, and may
    /// hold up what it is made to wait for.
    pub fn leading_to_by_all(
        &self,
        workspace: &Workspace,
        targets: impl IntoIterator<Item = FunctionRef>,
    ) -> HashSet<FunctionRef> {
        let mut found: HashSet<_> = targets.into_iter().collect();
        let mut open: Vec<_> = found.iter().copied().collect();
        while !open.is_empty() {
            let callers = open.par_iter().with_max_len(1).flat_map_iter(|function| self.calling(workspace, *function));
            let callers: Vec<_> = callers.collect();
            open = callers.into_iter().filter(|caller| found.insert(*caller)).collect();
        }
        found
    }

    fn calling<'w>(&'w self, workspace: &'w Workspace, function: FunctionRef) -> impl Iterator<Item = FunctionRef> + use<'w> {
        self.places(workspace, &Target::Function(function)).filter_map(Node::function)
    }

    /// The paths and method calls that certainly mean this function or constant, in path and source order.
    pub fn places<'w>(&'w self, workspace: &'w Workspace, target: &Target) -> impl Iterator<Item = Node<'w>> + use<'w> {
        let mut places = self.places.get(target).cloned().unwrap_or_default();
        let mut bodies = self.bodies.get(target).cloned().unwrap_or_default();
        if let Target::Function(function) = target {
            let item = workspace.function(*function);
            let method = item.owner.as_ref().map(|_| Target::Method(item.name));
            bodies.extend(method.and_then(|method| self.bodies.get(&method)).into_iter().flatten());
        }
        bodies.sort_unstable();
        bodies.dedup();
        for function in bodies {
            let mentions = self.of(workspace, function).iter().filter(|mention| mention.of == *target);
            places.extend(mentions.map(|mention| (function.file(), mention.at)));
        }
        let mut nodes: Vec<Node<'w>> = places.into_iter().map(|(file, id)| Node { workspace, file, id }).collect();
        nodes.sort_by_cached_key(|node| node.order());
        nodes.into_iter()
    }
}

/// What one file says.
#[derive(Default)]
struct Read {
    named: Vec<Box<[Target]>>,
    mentions: Vec<OnceLock<Vec<Mention>>>,
    constants: Vec<Vec<Mention>>,
    items: Vec<Mention>,
    parts: Vec<Box<[TypeRef]>>,
    places: Vec<(Target, ExprId)>,
    outside: Vec<(&'static str, FunctionRef)>,
}

impl Read {
    fn place(&mut self, mentions: &[Mention]) {
        let certain = mentions.iter().filter(|mention| matches!(mention.of, Target::Function(_) | Target::Constant(_)));
        self.places.extend(certain.map(|mention| (mention.of.clone(), mention.at)));
    }
}

/// Types of the workspace that a written type names, its arguments too.
fn types_in(resolve: &dyn Fn(&[Name]) -> Definition, ty: &Type, found: &mut dyn FnMut(TypeRef)) {
    if let Definition::Type(ty) = resolve(&ty.path) {
        found(ty);
    }
    ty.arguments.iter().for_each(|ty| types_in(resolve, ty, found));
}

fn mentioned_types(node: Node<'_>, ty: &Type, found: &mut Vec<Mention>) {
    types_in(&|path| node.resolve(path), ty, &mut |ty| found.push(Mention { at: node.id, of: Target::Type(ty) }));
}

fn parts(workspace: &Workspace, file: RustIndex, item: &TypeItem) -> Box<[TypeRef]> {
    let Some(&module) = workspace.names.modules_of(file, item.module).first() else { return Box::default() };
    let resolve = |path: &[Name]| workspace.names.resolve(&workspace.rust, module, path, None);
    let mut found = Vec::new();
    let mut keep = |ty: TypeRef| found.push(ty);
    match &item.kind {
        TypeKind::Struct(fields) => fields.iter().for_each(|field| types_in(&resolve, &field.ty, &mut keep)),
        TypeKind::Enum(variants) => {
            variants.iter().flat_map(|variant| &variant.types).for_each(|ty| types_in(&resolve, ty, &mut keep));
        }
        TypeKind::Alias(target) => types_in(&resolve, target, &mut keep),
        TypeKind::Trait => {}
    }
    let mut seen = HashSet::default();
    found.retain(|ty| seen.insert(*ty));
    found.into()
}

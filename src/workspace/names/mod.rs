//! What a path means: crates, module trees, `use`, re-exports, Cargo renames.
//!
//! A file belongs to the crates whose roots reach it through `mod`; a file that no crate reaches is not compiled, and is
//! not audited.

mod resolve;
mod tree;

use std::sync::{Mutex, PoisonError};

use cargo_metadata::camino::Utf8Path;
use rustc_hash::FxHashMap as HashMap;

use tree::Tree;

use super::manifest::{DependencyKind, Package, TargetKind};
use super::rust::{Function, FunctionId, ModuleId, Name, RustFile, Segments, TypeItem};
use super::{FileId, Sources};

/// Index into [`Names::crates`].
pub type CrateId = usize;
/// Index into [`Names::modules`].
pub type ModuleIndex = usize;
/// Index of a file in [`super::Workspace::rust`].
pub type RustIndex = usize;

/// A path is followed through at most this many steps: re-exports may form a loop.
const MAX_STEPS: usize = 64;

/// Globs open modules that hold globs: after this many rounds the rest is left unresolved.
const GLOB_ROUNDS: usize = 4;

/// A compiled target and its modules.
#[derive(Clone, Debug)]
pub struct Crate {
    /// Index into [`super::Workspace::packages`].
    pub package: usize,
    /// Index into that package's targets.
    pub target: usize,
    pub kind: TargetKind,
    /// As code names it.
    pub name: String,
    pub root: ModuleIndex,
}

/// A module of one crate.
#[derive(Clone, Debug)]
pub struct ModuleNode {
    pub krate: CrateId,
    pub name: Name,
    pub parent: Option<ModuleIndex>,
    pub file: RustIndex,
    pub module: ModuleId,
    /// It, or a module around it, is compiled for tests only.
    pub test: bool,
    items: HashMap<Name, Item>,
    /// Functions, and imports of them, that are called as a module beside them is: `mod routes; use routes::routes;`.
    values: HashMap<Name, Item>,
    /// `use path::*`, as written.
    globs: Vec<Segments>,
    /// What those globs open, and the globs in there, …: modules of the workspace, nearest first, and paths outside it.
    opened: Vec<ModuleIndex>,
    opened_outside: Vec<&'static str>,
}

#[derive(Clone, Debug)]
enum Item {
    Module(ModuleIndex),
    Function(FunctionRef),
    Type(TypeRef),
    Constant,
    Use(Segments),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionRef {
    // A big workspace keeps millions of these.
    file: u32,
    pub function: FunctionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeRef {
    file: u32,
    index: u32,
}

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// Outside the workspace: `reqwest::Client::new`, by the package's own crate name whatever the code calls it.
    External(&'static str),
    Module(ModuleIndex),
    Function(FunctionRef),
    Type(TypeRef),
    /// A constant of the workspace, an enum variant, an associated item that is not written down.
    Other,
    Unknown,
}

/// Crates, modules and methods of a workspace.
#[derive(Debug, Default)]
pub struct Names {
    pub crates: Vec<Crate>,
    pub modules: Vec<ModuleNode>,
    /// Files that crates are made of and that could not be read.
    pub unread: Vec<FileId>,
    /// Modules that a file's module is compiled as: more than one where several crates include the file.
    of_file: HashMap<(RustIndex, ModuleId), Vec<ModuleIndex>>,
    /// Inherent and trait methods by type and name.
    methods: HashMap<TypeRef, HashMap<Name, FunctionRef>>,
    /// Crate of a package's library.
    libraries: HashMap<usize, CrateId>,
    /// What a package's code calls its dependencies: package -> alias -> library or outside crate.
    dependencies: Vec<HashMap<Name, Dependency>>,
    /// What paths were found to mean in a module.
    meanings: [Mutex<HashMap<(ModuleIndex, Segments), Definition>>; SHARDS],
}

/// Enough for the threads of a big machine not to wait for each other.
const SHARDS: usize = 16;

#[derive(Clone, Debug)]
enum Dependency {
    Local(usize),
    External(Name),
}

impl Names {
    pub fn build(sources: &Sources, packages: &[Package], rust: &[RustFile]) -> Self {
        let by_path: HashMap<&Utf8Path, RustIndex> =
            rust.iter().enumerate().map(|(index, file)| (sources.path(file.file), index)).collect();
        let mut names = Self::default();
        for (package, manifest) in packages.iter().enumerate() {
            names.dependencies.push(dependencies(manifest));
            for (target, declared) in manifest.targets.iter().enumerate() {
                let Some(&file) = by_path.get(declared.root.as_path()) else {
                    names.unread.extend(sources.find(&declared.root));
                    continue;
                };
                let krate = names.crates.len();
                let name = declared.name.replace('-', "_");
                names.crates.push(Crate { package, target, kind: declared.kind, name, root: names.modules.len() });
                if declared.kind == TargetKind::Lib {
                    names.libraries.insert(package, krate);
                }
                let test = matches!(declared.kind, TargetKind::Test | TargetKind::Bench);
                let directory = declared.root.parent().unwrap_or(Utf8Path::new("")).to_owned();
                let mut tree = Tree { sources, by_path: &by_path, rust, names: &mut names, krate, open: Vec::new() };
                tree.file("".into(), None, file, &directory, test);
            }
        }
        names.collect_items(rust);
        names.open_globs(rust);
        names.collect_methods(rust);
        names
    }

    /// Modules that this module of a file is compiled as; empty when no crate compiles it.
    pub fn modules_of(&self, file: RustIndex, module: ModuleId) -> &[ModuleIndex] {
        self.of_file.get(&(file, module)).map_or(&[], Vec::as_slice)
    }

    /// What `path` means in `module`. `owner` is what `Self` stands for.
    pub fn resolve(&self, rust: &[RustFile], module: ModuleIndex, path: &[Name], owner: Option<&Segments>) -> Definition {
        match path {
            [first, rest @ ..] if &**first == "Self" => match owner {
                Some(owner) if owner.first().is_none_or(|first| &**first != "Self") => {
                    let full: Vec<Name> = owner.iter().chain(rest).copied().collect();
                    self.resolve_in(rust, module, &full, true, &mut { MAX_STEPS })
                }
                _ => Definition::Unknown,
            },
            _ => self.resolve_in(rust, module, path, true, &mut { MAX_STEPS }),
        }
    }

    /// What a path that does not start with `Self` means in a module, worked out once.
    pub fn remembered(&self, module: ModuleIndex, path: Segments, meaning: impl FnOnce() -> Definition) -> Definition {
        let shard = || self.meanings[module % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shard().get(&(module, path)) {
            return *known;
        }
        let meaning = meaning();
        shard().insert((module, path), meaning);
        meaning
    }

    /// The method `name` of a type of the workspace.
    pub fn method(&self, ty: TypeRef, name: Name) -> Option<FunctionRef> {
        self.methods.get(&ty)?.get(&name).copied()
    }

    /// The crates that `krate`'s code can reach: itself, its package's library, and the workspace's own libraries that
    /// it depends on, directly or not.
    pub fn reach(&self, krate: CrateId) -> Vec<CrateId> {
        let mut found = vec![krate];
        let mut next = 0;
        while let Some(&krate) = found.get(next) {
            next += 1;
            let package = self.crates[krate].package;
            let own = self.libraries.get(&package);
            let local = self.dependencies[package].values().filter_map(|dependency| match dependency {
                Dependency::Local(package) => self.libraries.get(package),
                Dependency::External(_) => None,
            });
            for &library in own.into_iter().chain(local) {
                if !found.contains(&library) {
                    found.push(library);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// A crate by the name that the module's package gives it.
    fn outside(&self, module: ModuleIndex, name: Name) -> Definition {
        if matches!(&*name, "std" | "core" | "alloc") {
            return Definition::External(name.text());
        }
        let krate = &self.crates[self.modules[module].krate];
        match self.dependencies[krate.package].get(&name) {
            Some(Dependency::Local(package)) => match self.libraries.get(package) {
                Some(&library) => Definition::Module(self.crates[library].root),
                None => Definition::Unknown,
            },
            Some(Dependency::External(name)) => Definition::External(name.text()),
            None => match self.libraries.get(&krate.package) {
                Some(&library) if self.crates[library].name == *name => Definition::Module(self.crates[library].root),
                _ => Definition::Unknown,
            },
        }
    }

    fn collect_items(&mut self, rust: &[RustFile]) {
        for (file, facts) in rust.iter().enumerate() {
            let modules =
                |of_file: &HashMap<_, Vec<ModuleIndex>>, module| of_file.get(&(file, module)).cloned().unwrap_or_default();
            for (id, function) in facts.functions.iter().enumerate() {
                if function.owner.is_none() {
                    let item = FunctionRef::new(file, FunctionId::new(id));
                    for module in modules(&self.of_file, function.module) {
                        self.modules[module].add(&function.name, Item::Function(item));
                    }
                }
            }
            for (index, ty) in facts.types.iter().enumerate() {
                for module in modules(&self.of_file, ty.module) {
                    self.modules[module].items.insert(ty.name, Item::Type(TypeRef::new(file, index)));
                }
            }
            for constant in &facts.constants {
                for module in modules(&self.of_file, constant.module) {
                    self.modules[module].items.entry(constant.name).or_insert(Item::Constant);
                }
            }
            for import in &facts.uses {
                for module in modules(&self.of_file, import.module) {
                    let node = &mut self.modules[module];
                    match &*import.name {
                        "*" => node.globs.push(import.path),
                        _ => node.add(&import.name, Item::Use(import.path)),
                    }
                }
            }
        }
    }

    fn collect_methods(&mut self, rust: &[RustFile]) {
        let mut methods: HashMap<TypeRef, HashMap<Name, FunctionRef>> = HashMap::default();
        for (file, facts) in rust.iter().enumerate() {
            for (id, function) in facts.functions.iter().enumerate() {
                let Some(owner) = &function.owner else { continue };
                let Some(&module) = self.modules_of(file, function.module).first() else { continue };
                if let Definition::Type(ty) = self.resolve(rust, module, owner, None) {
                    let method = FunctionRef::new(file, FunctionId::new(id));
                    methods.entry(ty).or_default().entry(function.name).or_insert(method);
                }
            }
        }
        self.methods = methods;
    }
}

impl Definition {
    /// `rest` of what stands outside at `base`.
    pub fn outside(base: &str, rest: &[Name]) -> Self {
        let mut path = base.to_owned();
        for name in rest {
            path.push_str("::");
            path.push_str(name);
        }
        Self::External(Name::from(path).text())
    }
}

impl ModuleNode {
    /// Adds what is no module. The first of a name stays; beside a module of that name it is a value.
    fn add(&mut self, name: &Name, item: Item) {
        let space = if matches!(self.items.get(name), Some(Item::Module(_))) { &mut self.values } else { &mut self.items };
        space.entry(*name).or_insert(item);
    }
}

impl FunctionRef {
    pub fn new(file: RustIndex, function: FunctionId) -> Self {
        Self { file: narrow(file), function }
    }

    pub const fn file(self) -> RustIndex {
        self.file as RustIndex
    }

    pub fn get(self, rust: &[RustFile]) -> &Function {
        rust[self.file()].function(self.function)
    }
}

impl TypeRef {
    /// `index` into [`RustFile::types`].
    pub fn new(file: RustIndex, index: usize) -> Self {
        Self { file: narrow(file), index: narrow(index) }
    }

    pub const fn file(self) -> RustIndex {
        self.file as RustIndex
    }

    pub const fn index(self) -> usize {
        self.index as usize
    }

    pub fn get(self, rust: &[RustFile]) -> &TypeItem {
        &rust[self.file()].types[self.index()]
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 files, and types in one")
}

fn dependencies(package: &Package) -> HashMap<Name, Dependency> {
    let mut found = HashMap::default();
    for dependency in &package.dependencies {
        let target = match dependency.local {
            Some(local) => Dependency::Local(local),
            None => Dependency::External(dependency.package.replace('-', "_").into()),
        };
        // A normal dependency wins over a dev one of the same name.
        let alias = Name::from(dependency.alias.as_str());
        if dependency.kind == DependencyKind::Normal || !found.contains_key(&alias) {
            found.insert(alias, target);
        }
    }
    found
}

/// Where the facts of a file stand.
pub fn index_of(rust: &[RustFile], file: FileId) -> Option<RustIndex> {
    rust.binary_search_by_key(&file, |facts| facts.file).ok()
}

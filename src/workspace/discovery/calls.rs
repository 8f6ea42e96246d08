//! Which functions a binary runs: from `main` through calls, methods and functions handed on as values.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::workspace::Workspace;
use crate::workspace::manifest::DependencyKind;
use crate::workspace::names::{CrateId, Definition, FunctionRef, ModuleIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, FunctionId, ModuleId, Name, TypeKind};

/// A method of an unknown type is taken for those that bear its name in the caller's package when there are so many at
/// most: `match command { Serve(c) => c.run(), … }` hides the types.
const MAX_NAMESAKES: usize = 12;

/// Likewise for the caller's package and all that it depends on, together.
const MAX_DISTANT_NAMESAKES: usize = 3;

/// Calls of every function that ships.
pub struct CallGraph<'w> {
    workspace: &'w Workspace,
    calls: HashMap<FunctionRef, Vec<Callee<'w>>>,
    /// Calls in the constants of a file, by its index.
    constants: HashMap<usize, Vec<Callee<'w>>>,
    /// Methods by their package and name.
    methods: HashMap<(usize, &'w str), Vec<FunctionRef>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Callee<'w> {
    Function(FunctionRef),
    /// A method of a type that is not known.
    Method(&'w str),
}

/// What one binary runs, in the order found: functions near `main` first.
pub struct Reached {
    pub functions: Vec<FunctionRef>,
    seen: HashSet<FunctionRef>,
    /// Indexes of the files that hold them, in path order.
    pub files: Vec<usize>,
}

impl Reached {
    pub fn contains(&self, node: Node<'_>) -> bool {
        match node.function() {
            Some(function) => self.seen.contains(&function),
            None => self.files.binary_search(&node.file).is_ok(),
        }
    }
}

impl<'w> CallGraph<'w> {
    pub fn build(workspace: &'w Workspace) -> Self {
        let files = 0..workspace.rust.len();
        let functions: Vec<FunctionRef> = files
            .clone()
            .flat_map(|file| {
                let count = workspace.rust[file].functions.len();
                (0..count).map(move |index| FunctionRef { file, function: FunctionId::new(index) })
            })
            .collect();
        let mut methods: HashMap<(usize, &str), Vec<FunctionRef>> = HashMap::new();
        for &function in &functions {
            let item = workspace.function(function);
            if let (true, false, Some(package)) = (item.owner.is_some(), item.test, package_of(workspace, function)) {
                methods.entry((package, &item.name)).or_default().push(function);
            }
        }
        let calls = functions.par_iter().filter_map(|&function| {
            let body = workspace.body(function).filter(|body| body.ships())?;
            Some((function, callees(body)))
        });
        let constants = files.into_par_iter().map(|file| {
            let values =
                workspace.rust[file].constants.iter().filter(|constant| !constant.test).filter_map(|constant| constant.value);
            (file, values.flat_map(|id| callees(Node { workspace, file, id })).collect())
        });
        Self { calls: calls.collect(), constants: constants.collect(), methods, workspace }
    }

    /// What the binary crate runs.
    pub fn reached(&self, krate: CrateId) -> Reached {
        let mut functions = self.entry_points(krate);
        let mut seen: HashSet<FunctionRef> = functions.iter().copied().collect();
        let mut files: HashSet<usize> = HashSet::new();
        let mut next = 0;
        while let Some(&function) = functions.get(next) {
            next += 1;
            let of_file = files.insert(function.file).then(|| self.constants.get(&function.file)).flatten();
            for callee in self.calls.get(&function).into_iter().chain(of_file).flatten() {
                let targets = match callee {
                    Callee::Function(target) => vec![*target],
                    Callee::Method(name) => self.namesakes(function, name),
                };
                functions.extend(targets.into_iter().filter(|target| seen.insert(*target)));
            }
        }
        let mut files: Vec<usize> = files.into_iter().collect();
        files.sort_unstable();
        Reached { functions, seen, files }
    }

    /// Methods of that name that `caller` may mean: of its own package, or of one that it depends on directly.
    fn namesakes(&self, caller: FunctionRef, name: &'w str) -> Vec<FunctionRef> {
        let Some(own) = package_of(self.workspace, caller) else { return Vec::new() };
        let methods = |package: usize| self.methods.get(&(package, name)).into_iter().flatten().copied();
        let dependencies = self.workspace.packages[own].dependencies.iter();
        let normal = dependencies.filter(|dependency| dependency.kind == DependencyKind::Normal);
        let near: Vec<FunctionRef> = methods(own).collect();
        let distant: Vec<FunctionRef> = normal.filter_map(|dependency| dependency.local).flat_map(methods).collect();
        match (near.len(), distant.len()) {
            (near_count, count) if near_count + count <= MAX_DISTANT_NAMESAKES => [near, distant].concat(),
            (count, _) if count <= MAX_NAMESAKES => near,
            _ => Vec::new(),
        }
    }

    /// `main`, or what a framework makes of it: `#[launch] fn rocket()`.
    fn entry_points(&self, krate: CrateId) -> Vec<FunctionRef> {
        let names = &self.workspace.names;
        let root: ModuleIndex = names.crates[krate].root;
        let file = names.modules[root].file;
        let functions = self.workspace.rust[file].functions.iter().enumerate();
        let top = functions.filter(|(_, function)| function.module == ModuleId::root() && function.owner.is_none());
        let is_entry = |name: &Name, launch: bool| &**name == "main" || launch;
        let found: Vec<FunctionRef> = top
            .filter(|(_, function)| {
                let launch =
                    function.attributes.iter().any(|attribute| attribute.path.last().is_some_and(|last| &**last == "launch"));
                is_entry(&function.name, launch)
            })
            .map(|(index, _)| FunctionRef { file, function: FunctionId::new(index) })
            .collect();
        found
    }
}

/// The package that compiles a function; the first where several share its file.
fn package_of(workspace: &Workspace, function: FunctionRef) -> Option<usize> {
    let module = workspace.function(function).module;
    let module = *workspace.names.modules_of(function.file, module).first()?;
    Some(workspace.names.crates[workspace.names.modules[module].krate].package)
}

fn callees<'w>(body: Node<'w>) -> Vec<Callee<'w>> {
    let mut found = Vec::new();
    for node in body.descendants() {
        match node.kind() {
            // A call's path is a child of the call; functions handed on as values are found the same way.
            ExprKind::Path(_) => {
                if let Definition::Function(function) = node.definition() {
                    found.push(Callee::Function(function));
                }
            }
            ExprKind::Method { receiver, name, .. } => match node.with(*receiver).ty() {
                Definition::Type(ty) => match node.workspace.names.method(ty, name) {
                    Some(method) => found.push(Callee::Function(method)),
                    None if matches!(ty.get(&node.workspace.rust).kind, TypeKind::Trait) => found.push(Callee::Method(name)),
                    None => {}
                },
                Definition::External(_) => {}
                _ => found.push(Callee::Method(name)),
            },
            _ => {}
        }
    }
    let mut seen = HashSet::new();
    found.retain(|callee| seen.insert(*callee));
    found
}

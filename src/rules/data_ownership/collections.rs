//! Collections of data that a process shares between its requests, by how they are declared.

use crate::rules::words::has_word;
use crate::workspace::names::{Definition, ModuleIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprId, ExprKind, Type, TypeKind};
use crate::workspace::{Location, Workspace};

/// Held by the process as a whole.
const HOLDERS: &[&str] = &["Arc", "Rc", "Box", "LazyLock", "Lazy", "OnceLock", "OnceCell", "Data", "State", "Extension"];
const LOCKS: &[&str] = &["Mutex", "RwLock", "FairMutex", "RefCell"];
const MAPS: &[&str] = &["HashMap", "BTreeMap", "IndexMap", "FxHashMap", "AHashMap"];
/// Maps with locks of their own.
const SHARED_MAPS: &[&str] = &["DashMap", "SkipMap"];
/// Words in names of what may differ between replicas.
const MAY_DIFFER: &[&str] = &[
    "cache",
    "cached",
    "caches",
    "memo",
    "metric",
    "metrics",
    "stats",
    "limit",
    "limits",
    "limiter",
    "rate",
    "lru",
    "conn",
    "connection",
    "connections",
    "peer",
    "peers",
    "socket",
    "sockets",
    "subscriber",
    "subscribers",
    "subscription",
    "lock",
    "locks",
    "pending",
    "inflight",
    "flight",
    "registry",
    "breaker",
    "breakers",
    "circuit",
    "recent",
    "log",
    "logs",
    "history",
    "snapshot",
    "config",
    "mock",
    "fake",
    "dummy",
];
/// Methods that open what holds the collection, or a part of it.
const OPENS: &[&str] = &[
    "lock",
    "write",
    "read",
    "borrow",
    "borrow_mut",
    // Of a lock, whether or not it is poisoned.
    "unwrap_or_else",
    "get_ref",
    "get_mut",
    "entry",
    "blocking_lock",
    "values",
    "iter",
    "values_mut",
    "iter_mut",
];
/// Bindings that a collection is followed through.
const MAX_DEPTH: usize = 6;

/// Where the shared collection of data is declared that this expression opens: a static, a field, a parameter's type.
pub fn collection(node: Node<'_>) -> Option<Location> {
    collection_within(node, MAX_DEPTH)
}

fn collection_within(node: Node<'_>, depth: usize) -> Option<Location> {
    let workspace = node.workspace;
    let mut node = node.peel();
    loop {
        node = match node.kind() {
            ExprKind::Method { receiver, name, .. } if OPENS.contains(&&**name) => node.with(*receiver).peel(),
            ExprKind::Other(parts) if parts.len() == 1 => node.with(parts[0]).peel(),
            _ => break,
        };
    }
    match node.kind() {
        ExprKind::Field { base, name } => {
            let Definition::Type(ty) = node.with(*base).ty() else { return None };
            let item = ty.get(&workspace.rust);
            let TypeKind::Struct(fields) = &item.kind else { return None };
            let field = fields.iter().find(|field| field.name == *name)?;
            let module = *workspace.names.modules_of(ty.file(), item.module).first()?;
            let named = has_word(&item.name, MAY_DIFFER) || has_word(name, MAY_DIFFER);
            let at = workspace.rust[ty.file()].location(field.span);
            declared(workspace, module, &field.ty, at).filter(|_| !named)
        }
        ExprKind::Path(path) => {
            if let Some(value) = node.binding().or_else(|| bound_by_condition(node)) {
                return collection_within(value, depth.checked_sub(1)?);
            }
            let name = path.last()?;
            if let [(file, index)] = workspace.graph.constants_named(name) {
                let constant = &workspace.rust[*file].constants[*index];
                let module = *workspace.names.modules_of(*file, constant.module).first()?;
                let at = workspace.rust[*file].location(constant.span);
                return declared(workspace, module, &constant.ty, at).filter(|_| !has_word(name, MAY_DIFFER));
            }
            let parameters = &workspace.function(node.function()?).parameters;
            let parameter = parameters.iter().find(|parameter| parameter.name.as_ref() == Some(name))?;
            let module = *node.modules().first()?;
            // Only an alias has a place of its own: `type Orders = Arc<Mutex<HashMap<Uuid, Order>>>`.
            declared(workspace, module, &parameter.ty, node.at()).filter(|at| *at != node.at() && !has_word(name, MAY_DIFFER))
        }
        _ => None,
    }
}

/// `if let Ok(mut orders) = ORDERS.lock() { … }`: what this name, read inside, was bound to.
fn bound_by_condition(name: Node<'_>) -> Option<Node<'_>> {
    name.ancestors().find_map(|ancestor| match ancestor.kind() {
        ExprKind::If { condition, .. } | ExprKind::While { condition, .. } => {
            ancestor.with(*condition).descendants().find_map(|part| match part.kind() {
                ExprKind::Let { names, value: Some(value), .. } if names.len() == 1 && name.variable() == Some(&*names[0]) => {
                    Some(part.with(*value))
                }
                _ => None,
            })
        }
        _ => None,
    })
}

/// Where a type is declared, if it is a shared collection of data: `at`, or the alias that it names.
fn declared(workspace: &Workspace, module: ModuleIndex, ty: &Type, at: Location) -> Option<Location> {
    let (mut ty, mut module, mut at, mut locked) = (ty, module, at, false);
    for _ in 0..10 {
        let name = ty.name()?;
        if HOLDERS.contains(&name) || LOCKS.contains(&name) {
            locked |= LOCKS.contains(&name);
            ty = ty.arguments.first()?;
        } else if SHARED_MAPS.contains(&name) || (locked && MAPS.contains(&name)) {
            return Some(at).filter(|_| ty.arguments.get(1).is_some_and(|value| is_data(workspace, module, value)));
        } else if locked && name == "Vec" {
            return Some(at).filter(|_| ty.arguments.first().is_some_and(|value| is_data(workspace, module, value)));
        } else if let Definition::Type(found) = workspace.names.resolve(&workspace.rust, module, &ty.path, None) {
            let item = found.get(&workspace.rust);
            let TypeKind::Alias(target) = &item.kind else { return None };
            if has_word(&item.name, MAY_DIFFER) {
                return None;
            }
            (ty, module) = (target, *workspace.names.modules_of(found.file(), item.module).first()?);
            at = workspace.rust[found.file()].location(item.span);
        } else {
            return None;
        }
    }
    None
}

/// A type of the workspace that is written out for others, or several of them.
fn is_data(workspace: &Workspace, module: ModuleIndex, ty: &Type) -> bool {
    let mut ty = ty;
    while let (Some("Vec" | "VecDeque"), Some(inner)) = (ty.name(), ty.arguments.first()) {
        ty = inner;
    }
    let Definition::Type(found) = workspace.names.resolve(&workspace.rust, module, &ty.path, None) else { return false };
    let item = found.get(&workspace.rust);
    let facts = &workspace.rust[found.file()];
    let derives = |id: &ExprId| match &facts.expr(*id).kind {
        ExprKind::Path(path) => path.last().is_some_and(|name| matches!(&**name, "Serialize" | "Deserialize")),
        _ => false,
    };
    !has_word(&item.name, MAY_DIFFER) && item.attributes.iter().any(|attribute| attribute.arguments.iter().any(derives))
}

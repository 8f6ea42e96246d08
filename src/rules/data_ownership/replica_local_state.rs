use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::{self, Workload};
use crate::rules::resiliency_patterns::requests::per_request_functions;
use crate::rules::words::has_word;
use crate::service::Store;
use crate::workspace::names::{Definition, ModuleIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Type, TypeKind};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A service that runs as several replicas keeps its data in the memory of one.
    ///
    /// ## Why is this bad?
    /// What one request writes, the next one finds only if it comes to the same replica. With two replicas every second read
    /// misses, and every deployment loses all of it.
    ///
    /// ## Example
    /// ```rust
    /// static ORDERS: LazyLock<Mutex<HashMap<Uuid, Order>>> = LazyLock::new(Mutex::default);
    /// ```
    /// ```yaml
    /// kind: Deployment
    /// spec: {replicas: 3}
    /// ```
    ///
    /// ## Use instead
    /// A store that all replicas ask: a database, Redis. Or one replica, where the data may be lost.
    ///
    /// ## Not reported when
    /// - no Deployment (or its autoscaler) says that the service runs as more than one pod;
    /// - handlers of routes and RPC methods, and what they certainly call, do not both write and read it;
    /// - it holds no data: what is kept is no serialisable type of the workspace (senders, clients, counters), or its name says that it may
    ///   differ between replicas: a cache, limits, metrics, connections, locks, sessions of a socket;
    /// - the service has a store as well: then this is a copy;
    /// - callers stick to a replica: `sessionAffinity: ClientIP`, an ingress or mesh with affinity or consistent hashing;
    /// - it is in a `lazy_static!`, or a collection that only some library names.
    ///
    /// ## Source
    /// [The Twelve-Factor App: Processes](https://12factor.net/processes) ("any data that needs to persist must be stored in a stateful
    /// backing service"); Kubernetes documentation, "Deployments".
    "replica-local-state", "MSVC509", Practice::DataOwnership, Level::Warn, Tier::Pedantic, Check::Service(check)
}

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
const WRITES: &[&str] = &["insert", "push", "or_insert", "or_insert_with", "or_default", "push_back"];
const READS: &[&str] = &[
    "get",
    "values",
    "iter",
    "contains_key",
    "get_mut",
    "remove",
    "into_iter",
    "values_mut",
    "iter_mut",
    "clone",
    "swap_remove",
    "retain",
];
/// Methods that open what holds the collection, or a part of it.
const OPENS: &[&str] = &[
    "lock",
    "write",
    "read",
    "borrow",
    "borrow_mut",
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

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    if service.store.as_ref().is_some_and(|store| store.value != Store::None) {
        return;
    }
    let Some((replicas, name)) = replicas(workspace, service) else { return };
    let functions = per_request_functions(workspace, service, &|_| true);
    let uses = |methods: &[&str]| {
        let calls: Vec<Node<'_>> = methods.iter().flat_map(|name| workspace.methods(name)).collect();
        let per_request =
            calls.into_iter().filter(|call| call.function().is_some_and(|function| functions.contains_key(&function)));
        per_request.filter_map(|call| Some((call, collection(call.receiver()?, MAX_DEPTH)?))).collect::<Vec<_>>()
    };
    let mut writes = uses(WRITES);
    writes.sort_by_key(|(call, _)| call.at());
    let reads = uses(READS);
    let mut seen: Vec<Location> = Vec::new();
    for (write, at) in writes {
        let Some((read, _)) = reads.iter().find(|(read, of)| *of == at && read.id != write.id) else { continue };
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        let diagnostic = Diagnostic::new(
            format!("each replica of `{}` has its own copy of this data", service.name),
            at,
            "kept in the memory of one replica",
        )
        .related(write.name_at(), "a request writes it")
        .related(read.name_at(), "another one reads it, in whichever replica it comes to")
        .related(replicas, format!("`{name}` runs as several pods"))
        .help("keep it in a store that all replicas ask, or run one replica")
        .evidence("a store of the service, of which this would be a copy")
        .evidence("affinity of callers to a replica")
        .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

/// Where a Deployment of the service says that it runs as several pods, none of which its callers stick to.
fn replicas<'w>(workspace: &'w Workspace, service: &Service) -> Option<(Location, &'w str)> {
    let sticks = workspace.kubernetes.iter().any(|object| {
        ["ClientIP", "consistentHash", "sticky"].iter().any(|word| workloads::mentions(&object.node, word))
            || object
                .annotations
                .iter()
                .any(|annotation| annotation.name.contains("affinity") || annotation.name.contains("sticky"))
    });
    let own = |workload: &Workload<'_>| {
        let same = workload.service.is_some_and(|found| std::ptr::eq(found, service));
        same && workload.object.kind.value == "Deployment" && !sticks
    };
    workloads::servers(workspace).filter(own).find_map(|workload| {
        let at = workloads::several_replicas(workspace, workload.object)?;
        Some((at, workload.object.name.value.as_str()))
    })
}

/// Where the shared collection of data is declared that this expression opens: a static, a field, a parameter's type.
fn collection(node: Node<'_>, depth: usize) -> Option<Location> {
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
            let module = *workspace.names.modules_of(ty.file, item.module).first()?;
            let named = has_word(&item.name, MAY_DIFFER) || has_word(name, MAY_DIFFER);
            let at = workspace.rust[ty.file].location(field.span);
            declared(workspace, module, &field.ty, at).filter(|_| !named)
        }
        ExprKind::Path(path) => {
            if let Some(value) = node.binding().or_else(|| bound_by_condition(node)) {
                return collection(value, depth.checked_sub(1)?);
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
            (ty, module) = (target, *workspace.names.modules_of(found.file, item.module).first()?);
            at = workspace.rust[found.file].location(item.span);
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
    let facts = &workspace.rust[found.file];
    let derives = |id: &crate::workspace::rust::ExprId| match &facts.expr(*id).kind {
        ExprKind::Path(path) => path.last().is_some_and(|name| matches!(&**name, "Serialize" | "Deserialize")),
        _ => false,
    };
    !has_word(&item.name, MAY_DIFFER) && item.attributes.iter().any(|attribute| attribute.arguments.iter().any(derives))
}

use super::collections::collection;
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::{self, Workload};
use crate::rules::resiliency_patterns::requests::per_request_functions;
use crate::service::Store;
use crate::workspace::query::Node;
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

/// Methods of collections that put something in, and those that look at what is there.
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
        per_request.filter_map(|call| Some((call, collection(call.receiver()?)?))).collect::<Vec<_>>()
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

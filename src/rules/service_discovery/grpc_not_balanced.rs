use super::address::address;
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::{self, Workload};
use crate::rules::given::{Given, variables};
use crate::rules::resiliency_patterns::grpc;
use crate::service::Protocol;
use crate::workspace::kubernetes::Object;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, TypeKind};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// All calls of a gRPC client go to one of several replicas.
    ///
    /// ## Why is this bad?
    /// A ClusterIP balances connections, and gRPC puts all calls into one connection that stays open. Whichever replica gets it does all the
    /// work, new ones that an autoscaler adds do none, and the load moves only when that replica ends.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Service
    /// metadata: {name: billing}
    /// spec: {selector: {app: billing}, ports: [{port: 50051}]} # three replicas
    /// ```
    /// ```rust
    /// let channel = Endpoint::from_static("http://billing:50051").connect_lazy();
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec: {clusterIP: None, selector: {app: billing}, ports: [{port: 50051}]}
    /// ```
    /// and a channel over all addresses that the name has: `Channel::balance_channel`, with a task that looks the name up again and again.
    /// Or a mesh, whose proxies balance calls.
    ///
    /// ## Not reported when
    /// - the address of the channel is not known: it is no literal, and no variable that the client's code names and a manifest of the service
    ///   sets, in the pod, in a ConfigMap or among a kustomization's literals;
    /// - no Service of that name selects a Deployment that certainly runs as several pods, in Kubernetes manifests of this tree;
    /// - what answers there is a service of this workspace that speaks something else;
    /// - the Service is headless (`clusterIP: None`), or an ExternalName;
    /// - something that the service reaches is called `balance_list`, `balance_channel` or `ginepro`;
    /// - a mesh is spoken of in any manifest: Istio, Linkerd, Cilium, Consul, Kuma.
    ///
    /// ## Source
    /// [Kubernetes: gRPC load balancing on Kubernetes without tears](https://kubernetes.io/blog/2018/11/07/grpc-load-balancing-on-kubernetes-without-tears/);
    /// tonic 0.14 `src/transport/channel/mod.rs` (one connection for each endpoint).
    "grpc-not-balanced", "MSVC410", Practice::ServiceDiscovery, Level::Warn, Tier::Pedantic, Check::Service(check)
}

const MESHES: &[&str] = &["istio", "linkerd", "cilium", "consul", "kuma"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let own = |client: &grpc::Client<'_>| workspace.runs(service, client.made);
    let clients: Vec<_> = grpc::clients(workspace).into_iter().filter(own).collect();
    let in_mesh = || workspace.kubernetes.iter().any(|object| MESHES.iter().any(|mesh| workloads::mentions(&object.node, mesh)));
    let balances = || {
        let named = ["balance_list", "balance_channel"].into_iter().flat_map(|name| workspace.named(name));
        let by_library = workspace.packages[service.package].depends_on("ginepro");
        by_library || named.into_iter().any(|call| workspace.runs(service, call))
    };
    if clients.is_empty() || in_mesh() || balances() {
        return;
    }
    for client in clients {
        let found = hosts(workspace, service, client.made).into_iter().find_map(|(host, at)| {
            let (door, replicas) = balanced_by_connection(workspace, &host)?;
            Some((door, replicas, at))
        });
        let Some((door, replicas, at)) = found else { continue };
        let name = &door.name.value;
        let mut diagnostic = Diagnostic::new(
            format!("all calls of this channel go to one replica of `{name}`"),
            client.made.name_at(),
            "one connection, which stays open",
        )
        .related(Location::new(door.file, door.name.span), format!("`{name}` balances connections, not calls"))
        .related(replicas, "several replicas")
        .help("make the Service headless (`clusterIP: None`) and balance over its addresses with `Channel::balance_channel`, or let a mesh do it")
        .evidence("a headless Service, a mesh, a channel over several endpoints")
        .confidence(Confidence::Medium);
        if let Some(at) = at {
            diagnostic = diagnostic.related(at, "its address");
        }
        out.push(diagnostic);
    }
}

/// Hosts that a channel may go to: written down where it is made, or in a variable of a manifest that the same code names.
fn hosts(workspace: &Workspace, service: &Service, made: Node<'_>) -> Vec<(String, Option<Location>)> {
    let mut found = Vec::new();
    let variables = variables(workspace, service);
    for node in sources(service, made) {
        let (name, may_have_prefix) = match (node.kind(), node.text()) {
            (ExprKind::Field { name, .. }, _) => (&**name, true),
            (ExprKind::Path(_), _) => match node.variable().filter(|name| is_part(node, name)) {
                Some(name) => (name, false),
                None => continue,
            },
            (_, Some(text)) => (text, false),
            _ => continue,
        };
        found.extend(address(name).map(|address| (address.host, None)));
        // `BILLING_URL` where the code reads it, or `config.billing_url`, with any prefix; `config.url` may be any.
        let wanted = name.to_ascii_uppercase();
        let is_it = |variable: &&Given<'_>| {
            let variable = variable.key.to_ascii_uppercase();
            variable == wanted || may_have_prefix && wanted.contains('_') && variable.ends_with(&format!("_{wanted}"))
        };
        for variable in variables.iter().filter(is_it) {
            found.extend(address(variable.value).map(|address| (address.host, Some(variable.at))));
        }
    }
    found
}

/// A parameter, or what a pattern takes out of settings: `let Settings { billing_url, .. } = settings;`.
fn is_part(node: Node<'_>, name: &str) -> bool {
    node.binding().is_none_or(|value| match value.ty() {
        Definition::Type(ty) => match &ty.get(&node.workspace.rust).kind {
            TypeKind::Struct(fields) => fields.iter().any(|field| *field.name == *name),
            _ => false,
        },
        _ => false,
    })
}

/// What the address is made of: the arguments, and what names among them were bound to, stand for, or are given by callers.
fn sources<'w>(service: &Service, made: Node<'w>) -> Vec<Node<'w>> {
    let mut found: Vec<Node<'w>> = Vec::new();
    let mut open: Vec<Node<'w>> = made.arguments().collect();
    while let Some(node) = open.pop().filter(|_| found.len() < 100) {
        for part in node.descendants() {
            let given = part.given().into_iter().filter(|argument| part.workspace.runs(service, *argument));
            let from = part.binding().or_else(|| part.constant()).into_iter().chain(given);
            open.extend(from.filter(|value| !found.iter().any(|known| known.file == value.file && known.id == value.id)));
            found.push(part);
        }
    }
    found
}

/// The Service of that name, if it stands before several pods and balances connections; and where it is said that they are several.
fn balanced_by_connection<'w>(workspace: &'w Workspace, host: &str) -> Option<(&'w Object, Location)> {
    let name = host.split('.').next()?;
    let doors = workspace.kubernetes.iter().filter(|door| door.kind.value == "Service" && door.name.value == name);
    doors.into_iter().find_map(|door| {
        let text = |key: &str| door.node.at(&["spec", key]).and_then(crate::workspace::yaml::Node::as_str);
        if text("clusterIP") == Some("None") || text("type") == Some("ExternalName") {
            return None;
        }
        let speaks = |workload: &Workload<'_>| {
            let protocol = workload.service.and_then(|service| service.protocol.as_ref());
            protocol.is_none_or(|protocol| protocol.value == Protocol::Grpc)
        };
        let mut behind = workloads::servers(workspace)
            .filter(|workload| workloads::selects(door, workload.object, workload.pod) && speaks(workload));
        let replicas = behind.find_map(|workload| workloads::several_replicas(workspace, workload.object))?;
        Some((door, replicas))
    })
}

use std::collections::BTreeMap;

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::shipped::is_elsewhere;
use crate::rules::containers::workloads::{self, Workload};
use crate::rules::edge::{is_gateway, opened};
use crate::workspace::kubernetes::Object;
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// Several services are open to the outside, each by an address of its own.
    ///
    /// ## Why is this bad?
    /// Every client has to know which service answers what, so that none can be split, merged or moved; and TLS, authentication,
    /// rate limits and logs of what comes in are done, or forgotten, once for each service.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Service
    /// metadata: {name: orders}
    /// spec: {type: LoadBalancer, selector: {app: orders}}
    /// ---
    /// kind: Service
    /// metadata: {name: billing}
    /// spec: {type: LoadBalancer, selector: {app: billing}}
    /// ```
    ///
    /// ## Use instead
    /// Services of type `ClusterIP`, and one Ingress or Gateway in front of them:
    /// ```yaml
    /// kind: HTTPRoute
    /// spec:
    ///   parentRefs: [{name: shop}]
    ///   rules:
    ///     - matches: [{path: {value: /v1/orders}}]
    ///       backendRefs: [{name: orders, port: 8080}]
    /// ```
    ///
    /// ## Not reported when
    /// - only one service of this workspace is open to the outside: it may be the gateway;
    /// - an Ingress, a Gateway or a route of one (Gateway API, Istio, Traefik, Contour, Ambassador, Kong, APISIX) stands in the tree;
    /// - the load balancer is an internal one, by its annotations;
    /// - a kustomization patches Services' types;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`). Compose files are not looked at: they
    ///   publish ports for people to try things.
    ///
    /// ## Source
    /// "No API gateway", MARS (Tighilt et al., Journal of Systems and Software 2023); Richardson, "API gateway", microservices.io;
    /// Kubernetes documentation, "Service: type"; kube-linter `exposed-services`.
    "no-gateway", "MSVC409", Practice::ServiceDiscovery, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    if workspace.kubernetes.iter().any(is_gateway) || workloads::mentioned_by_kustomize(workspace, "ClusterIP") {
        return;
    }
    let mut open: BTreeMap<&str, (&Object, &Node)> = BTreeMap::new();
    for Workload { object, pod, service } in workloads::servers(workspace) {
        let Some(service) = service else { continue };
        for door in workspace.kubernetes.iter().filter(|door| workloads::selects(door, object, pod)) {
            if let Some(kind) = opened(door).filter(|_| !is_elsewhere(workspace.sources.path(door.file))) {
                open.entry(&service.name).or_insert((door, kind));
            }
        }
    }
    let mut doors = open.iter();
    let Some((name, (door, kind))) = doors.next().filter(|_| open.len() > 1) else { return };
    let names: Vec<String> = open.keys().map(|name| format!("`{name}`")).collect();
    let mut diagnostic = Diagnostic::new(
        format!("{} are open to the outside, and nothing stands in front of them", names.join(", ")),
        Location::new(door.file, kind.span),
        format!("opens `{name}`"),
    )
    .help("make them `ClusterIP`, and route to them from one Ingress or Gateway")
    .evidence("an Ingress, a Gateway or a route of one")
    .evidence("annotations of an internal load balancer")
    .confidence(Confidence::Medium);
    for (name, (door, kind)) in doors {
        diagnostic = diagnostic.related(Location::new(door.file, kind.span), format!("opens `{name}`"));
    }
    out.push(diagnostic);
}

//! What stands between the outside and a service.

use crate::rules::containers::shipped::is_elsewhere;
use crate::rules::containers::workloads::{self, mentions};
use crate::workspace::kubernetes::Object;
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Service, Workspace};

/// Kinds that stand at the door.
const GATEWAYS: &[&str] = &[
    "Ingress",
    "IngressRoute",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "VirtualService",
    "HTTPProxy",
    "Mapping",
    "KongIngress",
    "ApisixRoute",
];
/// Images of proxies.
const PROXIES: &[&str] = &[
    "nginx",
    "traefik",
    "envoy",
    "caddy",
    "haproxy",
    "kong",
    "apisix",
    "tyk",
    "krakend",
    "httpd",
    "openresty",
    "pingora",
    "cloudflared",
];

/// An Ingress, a Gateway or a route of one.
pub fn is_gateway(object: &Object) -> bool {
    GATEWAYS.contains(&object.kind.value.as_str())
}

/// Whether an image of that name is among the containers, or is built on.
pub fn runs_proxy(workspace: &Workspace, proxy: &str) -> bool {
    let pods = workspace.kubernetes.iter().filter_map(|object| object.pod.as_ref());
    let containers = pods.flat_map(|pod| &pod.containers).filter_map(|container| container.image.as_ref());
    let runs = workspace.compose.iter().flat_map(|file| &file.services).filter_map(|run| run.image.as_ref());
    let bases = workspace.dockerfiles.iter().filter_map(|file| file.last_stage().image());
    containers.chain(runs).chain(bases).any(|image| image.short_name().contains(proxy))
}

/// Whether anything in the tree stands in front of services: a gateway, a mesh, a proxy among the containers, a platform's router.
pub fn has_front(workspace: &Workspace) -> bool {
    let in_mesh = |object: &Object| mentions(&object.node, "istio") || mentions(&object.node, "linkerd");
    !workspace.packaging.is_empty()
        || workspace.kubernetes.iter().any(|object| is_gateway(object) || in_mesh(object))
        || PROXIES.iter().any(|proxy| runs_proxy(workspace, proxy))
}

/// The type of a Service that is reached from outside the cluster.
pub fn opened(door: &Object) -> Option<&Node> {
    let spec = |key: &str| door.node.at(&["spec", key]).filter(|_| door.kind.value == "Service");
    if let Some(addresses) = spec("externalIPs").filter(|addresses| !addresses.items().is_empty()) {
        return Some(addresses);
    }
    let kind = spec("type")?;
    let internal = |text: &str| text.to_ascii_lowercase().contains("internal");
    let is_internal =
        door.annotations.iter().any(|annotation| internal(&annotation.name) || annotation.value.as_deref().is_some_and(internal));
    matches!(kind.as_str(), Some("LoadBalancer" | "NodePort")).then_some(kind).filter(|_| !is_internal)
}

/// Where manifests, or the service itself, say that callers from outside come to it.
pub fn opening(workspace: &Workspace, service: &Service) -> Option<Location> {
    if let Some(public) = &service.public {
        return Some(public.at).filter(|_| public.value);
    }
    let own = |workload: &workloads::Workload<'_>| workload.service.is_some_and(|found| std::ptr::eq(found, service));
    let doors = workloads::servers(workspace).filter(own).flat_map(|workload| {
        workspace
            .kubernetes
            .iter()
            .filter(move |door| door.kind.value == "Service" && workloads::selects(door, workload.object, workload.pod))
    });
    let ships = |object: &&Object| !is_elsewhere(workspace.sources.path(object.file));
    doors.filter(ships).find_map(|door| {
        let own = opened(door).map(|kind| Location::new(door.file, kind.span));
        let routed = || {
            let gateways = workspace.kubernetes.iter().filter(|object| is_gateway(object)).filter(ships);
            gateways.into_iter().find_map(|object| Some(Location::new(object.file, names(&object.node, &door.name.value)?.span)))
        };
        own.or_else(routed)
    })
}

/// Where a tree has this very text.
fn names<'n>(node: &'n Node, text: &str) -> Option<&'n Node> {
    if node.as_str() == Some(text) {
        return Some(node);
    }
    let below = node.entries().iter().map(|(_, value)| value).chain(node.items());
    below.into_iter().find_map(|part| names(part, text))
}

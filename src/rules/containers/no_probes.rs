use super::workloads::{self, Workload, selects};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::kubernetes::{Container, Object, Pod};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A Deployment or StatefulSet runs a server without readiness and liveness probes.
    ///
    /// ## Why is this bad?
    /// Without a readiness probe Kubernetes sends requests to a pod that is still starting, or already draining, so each rollout
    /// drops some. Without any probe a hung process is never taken out and never restarted.
    ///
    /// ## Example
    /// ```yaml
    /// containers:
    ///   - name: orders
    ///     image: registry.example.com/orders:1.4.2
    ///     ports: [{containerPort: 8080}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// containers:
    ///   - name: orders
    ///     image: registry.example.com/orders:1.4.2
    ///     ports: [{containerPort: 8080}]
    ///     readinessProbe: {httpGet: {path: /readyz, port: 9090}}
    ///     livenessProbe: {httpGet: {path: /livez, port: 9090}}
    /// ```
    /// `cargo msvc deploy-manifests` writes both from the routes that the service really has.
    ///
    /// ## Not reported when
    /// - a container of the pod has a readiness or a liveness probe: a server that needs only one is a decision, not an oversight;
    /// - it is no server: no port, no Service that selects it, no service of this workspace;
    /// - it is a Job, a CronJob, a DaemonSet or a bare Pod;
    /// - the object is a patch, or a kustomization patches it with probes, or in a way that cannot be read here;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`).
    ///
    /// ## Source
    /// Kubernetes documentation, "Configure Liveness, Readiness and Startup Probes"; "no health check", MARS (Tighilt et al.,
    /// Journal of Systems and Software 2023); kube-linter `no-readiness-probe` and `no-liveness-probe`.
    "no-probes", "MSVC910", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for workload in workloads::servers(workspace) {
        let Workload { object, pod, service } = workload;
        let is_server = matches!(object.kind.value.as_str(), "Deployment" | "StatefulSet");
        if !is_server || pod.containers.iter().any(has_probe) {
            continue;
        }
        let Some((container, why)) = server(workspace, object, pod, service) else { continue };
        if workloads::is_patched(workspace, object, "Probe", &|pod| pod.containers.iter().any(has_probe)) {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            format!("{} `{}` has no readiness and no liveness probe", object.kind.value, object.name.value),
            Location::new(object.file, container.name.span),
            format!("this container is a server: {why}"),
        )
        .help("add a readinessProbe that turns false while draining, and a livenessProbe that touches no dependency")
        .evidence("a probe in any container of the pod")
        .evidence("a kustomize patch that adds one")
        .confidence(if service.is_some() { Confidence::High } else { Confidence::Medium });
        diagnostic.service = service.map(|service| service.name.clone());
        out.push(diagnostic);
    }
}

fn has_probe(container: &Container) -> bool {
    container.readiness.is_some() || container.liveness.is_some()
}

/// The first container that serves, and how we know.
fn server<'o>(
    workspace: &Workspace,
    object: &Object,
    pod: &'o Pod,
    service: Option<&Service>,
) -> Option<(&'o Container, String)> {
    let with_port = pod.containers.iter().find_map(|container| Some((container, container.ports.first()?)));
    if let Some((container, port)) = with_port {
        return Some((container, format!("it listens on port {}", port.port)));
    }
    if let Some(service) = service {
        return Some((pod.containers.first()?, format!("it runs the service `{}`", service.name)));
    }
    let selecting =
        workspace.kubernetes.iter().find(|service| service.kind.value == "Service" && selects(service, object, pod))?;
    Some((pod.containers.first()?, format!("Service `{}` sends requests to it", selecting.name.value)))
}

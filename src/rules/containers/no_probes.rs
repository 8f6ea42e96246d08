use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::paths;
use crate::workspace::kubernetes::{Container, Kustomization, Object, Pod};
use crate::workspace::manifest::join;
use crate::workspace::yaml::{Node, Value};
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
    for (index, object) in workspace.kubernetes.iter().enumerate() {
        let Some(pod) = &object.pod else { continue };
        let is_server = matches!(object.kind.value.as_str(), "Deployment" | "StatefulSet");
        // A patch leaves out what its base states.
        let is_whole = !object.name.value.is_empty() && pod.containers.iter().all(|container| container.image.is_some());
        if !is_server || !is_whole || pod.containers.iter().any(has_probe) || is_elsewhere(workspace, object) {
            continue;
        }
        let service = service_of(workspace, index);
        let Some((container, why)) = server(workspace, object, pod, service) else { continue };
        if is_patched(workspace, object) {
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

/// Files that show something, or start infrastructure on one person's machine.
fn is_elsewhere(workspace: &Workspace, object: &Object) -> bool {
    let path = workspace.sources.path(object.file);
    paths::is_shown_only(path) || paths::is_local(path)
}

/// The service of this workspace that a pod of the object runs.
fn service_of(workspace: &Workspace, object: usize) -> Option<&Service> {
    let runs = |service: &&Service| service.documents.containers.iter().any(|(index, _)| *index == object);
    workspace.services.iter().find(runs)
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

fn selects(service: &Object, object: &Object, pod: &Pod) -> bool {
    let namespace = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
    let has = |name: &str, value: &Option<String>| pod.labels.iter().any(|label| label.name == name && &label.value == value);
    !service.selector.is_empty()
        && namespace(service) == namespace(object)
        && service.selector.iter().all(|wanted| has(&wanted.name, &wanted.value))
}

/// Whether a kustomization gives the object probes, or may do so in a way that is not seen.
fn is_patched(workspace: &Workspace, object: &Object) -> bool {
    let by_object = workspace.kubernetes.iter().filter(|patch| !std::ptr::eq(*patch, object)).any(|patch| {
        let same =
            patch.kind.value == object.kind.value && (patch.name.value == object.name.value || patch.name.value.is_empty());
        same && patch.pod.as_ref().is_some_and(|pod| pod.containers.iter().any(has_probe))
    });
    by_object || workspace.kustomizations.iter().any(|kustomization| may_add_probes(workspace, kustomization))
}

/// Inline patches that speak of probes, and patch files that were not read as objects (JSON patches, templates, what stands
/// outside the tree).
fn may_add_probes(workspace: &Workspace, kustomization: &Kustomization) -> bool {
    let folder = workspace.sources.path(kustomization.file).parent().unwrap_or("".into());
    let unread = kustomization.patches.iter().any(|patch| {
        let path = join(folder, &patch.value);
        let file = path.and_then(|path| workspace.sources.find(path.as_path()));
        !file.is_some_and(|file| workspace.kubernetes.iter().any(|object| object.file == file))
    });
    unread || mentions(&kustomization.node, "Probe")
}

fn mentions(node: &Node, word: &str) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.contains(word),
        Value::Sequence(items) => items.iter().any(|item| mentions(item, word)),
        Value::Mapping(entries) => entries.iter().any(|(key, value)| mentions(key, word) || mentions(value, word)),
    }
}

use super::workloads::{self, Workload};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::kubernetes::{Container, Object};
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// A container has no memory limit, or asks for no CPU.
    ///
    /// ## Why is this bad?
    /// Without a memory limit, one leak or one large request takes the memory of everything else on the node, and the kernel kills
    /// whom it likes. Without a CPU request, the container gets next to nothing where others ask for more, and the scheduler puts
    /// any number of such pods on one node; an autoscaler that goes by CPU use cannot count it either.
    ///
    /// ## Example
    /// ```yaml
    /// containers:
    ///   - name: orders
    ///     image: registry.example.com/orders:1.4.2
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// containers:
    ///   - name: orders
    ///     image: registry.example.com/orders:1.4.2
    ///     resources:
    ///       requests: {cpu: 100m, memory: 128Mi}
    ///       limits: {memory: 128Mi}
    /// ```
    /// A CPU limit is not asked for: throttling costs more latency than it saves.
    ///
    /// ## Not reported when
    /// - the container has a memory limit, and a CPU request (or a CPU limit, which stands for one);
    /// - the pod has limits of its own (`spec.resources`);
    /// - a LimitRange that may be in its namespace gives containers defaults, or a VerticalPodAutoscaler aims at the workload;
    /// - the object is a patch, or a kustomization patches resources, or in a way that cannot be read here;
    /// - it is a Job, a CronJob or a bare Pod, or comes from a template that is not rendered;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`).
    ///
    /// ## Source
    /// Kubernetes documentation, "Resource Management for Pods and Containers" and "Limit Ranges"; kube-linter
    /// `unset-memory-requirements` and `unset-cpu-requirements`; polaris `memoryLimitsMissing`, `cpuRequestsMissing`.
    "no-resource-limits", "MSVC911", Practice::Containers, Level::Warn, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for Workload { object, pod, service } in workloads::servers(workspace) {
        let limited = |container: &Container| missing(container).is_none();
        if pod.node.get("resources").is_some()
            || pod.containers.iter().all(limited)
            || has_defaults(workspace, object)
            || workloads::is_patched(workspace, object, "resources", &|pod| {
                pod.containers.iter().any(|container| container.resources.is_some())
            })
        {
            continue;
        }
        for container in &pod.containers {
            let Some(missing) = missing(container) else { continue };
            let at = container.resources.as_ref().map_or(container.name.span, |resources| resources.span);
            let mut diagnostic = Diagnostic::new(
                format!("container `{}` of {} `{}` has {missing}", container.name.value, object.kind.value, object.name.value),
                Location::new(object.file, at),
                "takes what it gets from the node",
            )
            .help("add `resources` with a CPU request, a memory request and a memory limit, from what it uses under load")
            .evidence("limits of the whole pod")
            .evidence("a LimitRange or a VerticalPodAutoscaler")
            .evidence("a kustomize patch that adds them")
            .confidence(if service.is_some() { Confidence::High } else { Confidence::Medium });
            diagnostic.fix = fix(object, container);
            diagnostic.service = service.map(|service| service.name.clone());
            out.push(diagnostic);
        }
    }
}

/// What a container's resources lack.
fn missing(container: &Container) -> Option<&'static str> {
    let has = |path: [&str; 2]| container.resources.as_ref().is_some_and(|resources| resources.at(&path).is_some());
    let memory = has(["limits", "memory"]);
    let cpu = has(["requests", "cpu"]) || has(["limits", "cpu"]);
    match (memory, cpu) {
        (true, true) => None,
        (true, false) => Some("no CPU request"),
        (false, true) => Some("no memory limit"),
        (false, false) => Some("no memory limit and no CPU request"),
    }
}

/// Whether something gives containers of the namespace limits that they do not state.
fn has_defaults(workspace: &Workspace, object: &Object) -> bool {
    workspace.kubernetes.iter().any(|other| match other.kind.value.as_str() {
        "LimitRange" => {
            let limits = other.node.at(&["spec", "limits"]).map(Node::items).unwrap_or_default();
            workloads::may_share_namespace(object, other) && limits.iter().any(|limit| limit.at(&["default", "memory"]).is_some())
        }
        "VerticalPodAutoscaler" => {
            other.node.at(&["spec", "targetRef", "name"]).and_then(Node::as_str) == Some(object.name.value.as_str())
        }
        _ => false,
    })
}

/// Numbers to start from, after the image; none where some stand there already.
fn fix(object: &Object, container: &Container) -> Option<Fix> {
    let image = container.image.as_ref().filter(|_| container.resources.is_none())?;
    let text = match container.indent {
        Some(indent) => {
            let indent = " ".repeat(indent.into());
            format!("\n{indent}resources:\n{indent}  requests: {{cpu: 100m, memory: 128Mi}}\n{indent}  limits: {{memory: 128Mi}}")
        }
        None => ", resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}".to_owned(),
    };
    Some(Fix::unsafe_("start with a small request and limit").after(Location::new(object.file, image.span), text))
}

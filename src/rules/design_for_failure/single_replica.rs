use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::containers::workloads::{self, Workload};
use crate::workspace::kubernetes::Object;
use crate::workspace::variables::Variable;
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// A service runs as one pod, or all its pods may be taken away at once.
    ///
    /// ## Why is this bad?
    /// A node that is drained, upgraded or lost takes its pods with it. A service with one pod is then gone until another one has
    /// started; one with several, and no PodDisruptionBudget, may lose all of them to one drain.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Deployment
    /// metadata: {name: orders}
    /// spec:
    ///   replicas: 1
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kind: Deployment
    /// metadata: {name: orders}
    /// spec:
    ///   replicas: 2
    /// ---
    /// kind: PodDisruptionBudget
    /// metadata: {name: orders}
    /// spec:
    ///   maxUnavailable: 1
    ///   selector: {matchLabels: {app: orders}}
    /// ```
    ///
    /// ## Not reported when
    /// - for one pod: an autoscaler (HorizontalPodAutoscaler, KEDA's ScaledObject) aims at the Deployment, a kustomization sets or
    ///   patches `replicas`, or it cannot run twice: `strategy: Recreate`, a volume claim, a controller made with `kube`;
    /// - for several: a PodDisruptionBudget that may be in its namespace selects its pods, or one selects by expressions or all;
    /// - it is a StatefulSet or DaemonSet, or runs no service of this workspace;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`).
    ///
    /// ## Source
    /// Kubernetes documentation, "Disruptions" and "Specifying a Disruption Budget"; kube-linter `minimum-three-replicas`; polaris
    /// `deploymentMissingReplicas` and `missingPodDisruptionBudget`, which look at each object alone.
    "single-replica", "MSVC108", Practice::DesignForFailure, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for Workload { object, pod, service } in workloads::servers(workspace) {
        let Some(service) = service.filter(|_| object.kind.value == "Deployment") else { continue };
        let replicas = object.node.at(&["spec", "replicas"]);
        let autoscaled = workspace.kubernetes.iter().any(|other| workloads::scales(other, object));
        let one = replicas.is_none_or(|replicas| replicas.as_str() == Some("1"));
        let name = &object.name.value;
        if one && !autoscaled {
            // Two of a controller would both act on what they see, unless one of them is elected.
            let controls = workspace.packages[service.package].depends_on("kube");
            if controls || must_be_alone(object, &pod.node) || is_set_elsewhere(workspace, object) {
                continue;
            }
            let at = replicas.map_or(object.name.span, |replicas| replicas.span);
            let mut diagnostic = Diagnostic::new(
                format!("`{name}` runs as one pod"),
                Location::new(object.file, at),
                if replicas.is_some() { "one" } else { "no `replicas`: one" },
            )
            .help("run two or more, with a PodDisruptionBudget, or add a HorizontalPodAutoscaler with `minReplicas: 2`")
            .evidence("an autoscaler that aims at it")
            .evidence("a kustomization that sets `replicas`")
            .evidence("`strategy: Recreate` or a volume claim")
            .service(&service.name);
            if let Some(replicas) = replicas {
                let fix = Fix::unsafe_("run two pods");
                diagnostic = diagnostic.fix(fix.replace(Location::new(object.file, replicas.span), "2"));
            }
            out.push(diagnostic);
        } else if !workspace.kubernetes.iter().any(|other| protects(other, object, &pod.labels)) {
            let known = replicas.is_some_and(|replicas| replicas.as_number::<u32>().is_some_and(|count| count > 1));
            if !(known || autoscaled) || workloads::mentioned_by_kustomize(workspace, "PodDisruptionBudget") {
                continue;
            }
            out.push(
                Diagnostic::new(
                    format!("all pods of `{name}` may be taken away at once"),
                    Location::new(object.file, object.name.span),
                    "no PodDisruptionBudget selects its pods",
                )
                .help("add a PodDisruptionBudget with `maxUnavailable: 1` that selects its pods")
                .evidence("a PodDisruptionBudget in its namespace")
                .service(&service.name),
            );
        }
    }
}

/// Whether it says that two of it would be wrong.
fn must_be_alone(object: &Object, pod: &Node) -> bool {
    let recreated = object.node.at(&["spec", "strategy", "type"]).and_then(Node::as_str) == Some("Recreate");
    let volumes = pod.get("volumes").map(Node::items).unwrap_or_default();
    recreated || volumes.iter().any(|volume| volume.get("persistentVolumeClaim").is_some())
}

fn is_set_elsewhere(workspace: &Workspace, object: &Object) -> bool {
    let sets = |node: &Node| node.get("replicas").is_some();
    workspace.kustomizations.iter().any(|kustomization| sets(&kustomization.node))
        || workloads::is_patched(workspace, object, "replicas", &|_| false)
        || workspace.kubernetes.iter().any(|patch| {
            let same = patch.kind.value == object.kind.value && patch.name.value == object.name.value;
            same && !std::ptr::eq(patch, object) && patch.node.get("spec").is_some_and(sets)
        })
}

/// Whether a PodDisruptionBudget may select the pods.
fn protects(budget: &Object, object: &Object, labels: &[Variable]) -> bool {
    let has = |wanted: &Variable| labels.iter().any(|label| label.name == wanted.name && label.value == wanted.value);
    budget.kind.value == "PodDisruptionBudget"
        && workloads::may_share_namespace(budget, object)
        && budget.selector.iter().all(has)
}

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::{self, Workload};
use crate::workspace::kubernetes::Object;
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// No NetworkPolicy says who may talk to a service's pods.
    ///
    /// ## Why is this bad?
    /// Without one, every pod of the cluster may connect to every port of the service, its administration port included: whoever
    /// gets into one container is inside them all.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Deployment
    /// metadata: {name: orders, namespace: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kind: NetworkPolicy
    /// metadata: {name: orders, namespace: shop}
    /// spec:
    ///   podSelector: {matchLabels: {app: orders}}
    ///   ingress:
    ///     - from: [{podSelector: {matchLabels: {app: gateway}}}]
    /// ```
    /// `cargo msvc deploy-manifests` writes them from the calls that services really make.
    ///
    /// ## Not reported when
    /// - a NetworkPolicy for ingress that may be in its namespace selects its pods, or all, or selects by expressions;
    /// - policies of another kind stand in the tree: Cilium, Calico, AdminNetworkPolicy, or Istio's, Linkerd's and Consul's
    ///   authorization;
    /// - the manifests are Helm templates or the like: they are not read;
    /// - it runs no service of this workspace;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`).
    ///
    /// Where the tree has no policy at all, that is one finding and not one for each service.
    ///
    /// ## Source
    /// Kubernetes documentation, "Network Policies" ("by default, a pod is non-isolated for ingress"); kube-linter
    /// `non-isolated-pod`; NSA and CISA, "Kubernetes Hardening Guide".
    "no-network-policy", "MSVC709", Practice::Security, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Kinds that say who may talk to whom, besides NetworkPolicy.
const OTHER_POLICIES: &[&str] = &[
    "CiliumNetworkPolicy",
    "CiliumClusterwideNetworkPolicy",
    "GlobalNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "ClusterNetworkPolicy",
    "AuthorizationPolicy",
    "ServerAuthorization",
    "ServiceIntentions",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let objects = || workspace.kubernetes.iter();
    if objects().any(|object| OTHER_POLICIES.contains(&object.kind.value.as_str()))
        || workloads::mentioned_by_kustomize(workspace, "NetworkPolicy")
    {
        return;
    }
    let none = !objects().any(|object| object.kind.value == "NetworkPolicy");
    let open = workloads::servers(workspace).filter_map(|workload| Some((workload, workload.service?)));
    let open = open.filter(|(workload, _)| !objects().any(|policy| isolates(policy, workload)));
    let mut open = open.peekable();
    while let Some((workload, service)) = open.next() {
        let object = workload.object;
        let others = if none { open.by_ref().count() } else { 0 };
        let name = match others {
            0 => format!("`{}`", object.name.value),
            others => format!("`{}` and {others} more", object.name.value),
        };
        let mut diagnostic = Diagnostic::new(
            format!("every pod of the cluster may connect to {name}"),
            Location::new(object.file, object.name.span),
            "no NetworkPolicy selects these pods",
        )
        .help("add a NetworkPolicy that lets in who calls it; `cargo msvc deploy-manifests` writes them from the calls")
        .evidence("a NetworkPolicy for ingress in its namespace")
        .evidence("policies of Cilium, Calico, Istio, Linkerd or Consul")
        .confidence(Confidence::Medium);
        diagnostic.service = (others == 0).then(|| service.name.clone());
        out.push(diagnostic);
    }
}

/// Whether a policy limits who may connect to the pods.
fn isolates(policy: &Object, workload: &Workload<'_>) -> bool {
    if policy.kind.value != "NetworkPolicy" || !workloads::may_share_namespace(policy, workload.object) {
        return false;
    }
    let spec = |path: &[&str]| policy.node.get("spec").and_then(|spec| spec.at(path));
    let types = spec(&["policyTypes"]).map(Node::texts);
    let for_ingress = types.is_none_or(|types| types.iter().any(|kind| kind.value == "Ingress"));
    let wanted = spec(&["podSelector", "matchLabels"]).map(Node::entries).unwrap_or_default();
    let has = |name: &Node, value: &Node| {
        let mut labels = workload.pod.labels.iter();
        labels.any(|label| Some(label.name.as_str()) == name.as_str() && label.value.as_deref() == value.as_str())
    };
    for_ingress && wanted.iter().all(|(name, value)| has(name, value))
}

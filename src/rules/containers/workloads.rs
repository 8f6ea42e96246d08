//! Kubernetes workloads that ship, and what else in the tree changes them.

use super::shipped::is_elsewhere;
use crate::workspace::kubernetes::{Kustomization, Object, Pod};
use crate::workspace::manifest::join;
use crate::workspace::yaml::{Node, Value};
use crate::workspace::{Location, Service, Workspace};

/// A workload with pods that stay up.
#[derive(Clone, Copy)]
pub struct Workload<'w> {
    pub object: &'w Object,
    pub pod: &'w Pod,
    /// The service of this workspace that a container of it runs.
    pub service: Option<&'w Service>,
}

/// Deployments, StatefulSets and DaemonSets that state their containers whole: no patches, nothing that shows something or starts
/// infrastructure on one person's machine.
pub fn servers(workspace: &Workspace) -> impl Iterator<Item = Workload<'_>> {
    workspace.kubernetes.iter().enumerate().filter_map(|(index, object)| {
        let pod = object.pod.as_ref()?;
        let stays = matches!(object.kind.value.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
        // A patch leaves out what its base states.
        let is_whole = !object.name.value.is_empty() && pod.containers.iter().all(|container| container.image.is_some());
        let ships = stays && is_whole && !is_elsewhere(workspace.sources.path(object.file));
        ships.then(|| Workload { object, pod, service: service_of(workspace, index) })
    })
}

/// The service of this workspace that a pod of the object runs.
fn service_of(workspace: &Workspace, object: usize) -> Option<&Service> {
    let runs = |service: &&Service| service.documents.containers.iter().any(|(index, _)| *index == object);
    workspace.services.iter().find(runs)
}

/// Whether two objects may be in one namespace: a kustomization often says which.
pub fn may_share_namespace(one: &Object, other: &Object) -> bool {
    let name = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
    name(one).zip(name(other)).is_none_or(|(one, other)| one == other)
}

/// Whether an object decides how many pods there are.
pub fn scales(scaler: &Object, object: &Object) -> bool {
    matches!(scaler.kind.value.as_str(), "HorizontalPodAutoscaler" | "ScaledObject")
        && scaler.node.at(&["spec", "scaleTargetRef", "name"]).and_then(Node::as_str) == Some(object.name.value.as_str())
}

/// Where it is said that a Deployment runs as several pods: its `replicas`, or an autoscaler's.
pub fn several_replicas(workspace: &Workspace, object: &Object) -> Option<Location> {
    let above_one = |node: Option<&Node>| node.and_then(Node::as_number::<u32>).is_some_and(|count| count > 1);
    let own = object.node.at(&["spec", "replicas"]).filter(|count| above_one(Some(count)));
    let scaled = || {
        let scaler = workspace.kubernetes.iter().find(|scaler| scales(scaler, object))?;
        let most = ["maxReplicas", "maxReplicaCount"].into_iter().find_map(|key| scaler.node.at(&["spec", key]));
        most.filter(|most| above_one(Some(most))).map(|most| Location::new(scaler.file, most.span))
    };
    own.map(|count| Location::new(object.file, count.span)).or_else(scaled)
}

/// Whether a Service sends requests to a workload's pods.
pub fn selects(service: &Object, object: &Object, pod: &Pod) -> bool {
    let namespace = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
    let has = |name: &str, value: &Option<String>| pod.labels.iter().any(|label| label.name == name && &label.value == value);
    !service.selector.is_empty()
        && namespace(service) == namespace(object)
        && service.selector.iter().all(|wanted| has(&wanted.name, &wanted.value))
}

/// Whether a patch gives the object what it lacks, or may do so in a way that is not seen: `word` is in the text of one.
pub fn is_patched(workspace: &Workspace, object: &Object, word: &str, gives: &dyn Fn(&Pod) -> bool) -> bool {
    let by_object = workspace.kubernetes.iter().filter(|patch| !std::ptr::eq(*patch, object)).any(|patch| {
        let same =
            patch.kind.value == object.kind.value && (patch.name.value == object.name.value || patch.name.value.is_empty());
        same && patch.pod.as_ref().is_some_and(gives)
    });
    by_object || workspace.kustomizations.iter().any(|kustomization| may_add(workspace, kustomization, word))
}

/// Inline patches that speak of it, and patch files that were not read as objects (JSON patches, templates, what stands outside
/// the tree).
fn may_add(workspace: &Workspace, kustomization: &Kustomization, word: &str) -> bool {
    let folder = workspace.sources.path(kustomization.file).parent().unwrap_or("".into());
    let unread = kustomization.patches.iter().any(|patch| {
        let path = join(folder, &patch.value);
        let file = path.and_then(|path| workspace.sources.find(path.as_path()));
        !file.is_some_and(|file| workspace.kubernetes.iter().any(|object| object.file == file))
    });
    // Its own lists of files are no patches, though one of them is called `resources`.
    let lists = |key: &Node| matches!(key.as_str(), Some("resources" | "bases" | "components" | "crds"));
    let mut changes = kustomization.node.entries().iter().filter(|(key, _)| !lists(key));
    unread || changes.any(|(key, value)| mentions(key, word) || mentions(value, word))
}

/// Whether a word is in any text of a tree.
pub fn mentions(node: &Node, word: &str) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.contains(word),
        Value::Sequence(items) => items.iter().any(|item| mentions(item, word)),
        Value::Mapping(entries) => entries.iter().any(|(key, value)| mentions(key, word) || mentions(value, word)),
    }
}

/// Whether a kustomization speaks of it: in a patch, or in resources that are not in the tree.
pub fn mentioned_by_kustomize(workspace: &Workspace, word: &str) -> bool {
    workspace.kustomizations.iter().any(|kustomization| mentions(&kustomization.node, word))
}

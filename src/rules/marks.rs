//! Marks in manifests by which something else acts on a service: a mesh, a collector.

use super::containers::workloads::mentions;
use crate::workspace::Workspace;
use crate::workspace::kubernetes::Object;

/// Meshes, by parts of the names of their annotations, labels and API groups.
pub const MESHES: &[&str] =
    &["istio", "linkerd", "consul.hashicorp.com", "kuma.io", "cilium.io", "appmesh", "dapr.io", "openservicemesh", "spiffe"];

/// Whether an object or a kustomization bears such a mark.
pub fn are_in_manifests(workspace: &Workspace, words: &[&str]) -> bool {
    let named = |text: &str| words.iter().any(|word| text.contains(word));
    let bears = |object: &Object| {
        let marks = object.annotations.iter().chain(&object.labels).chain(object.pod.iter().flat_map(|pod| &pod.labels));
        let of_pods = object.node.at(&["spec", "template", "metadata", "annotations"]);
        named(&object.api_version.value)
            || marks.into_iter().any(|mark| named(&mark.name))
            || of_pods.is_some_and(|marks| marks.entries().iter().any(|(key, _)| key.as_str().is_some_and(named)))
    };
    workspace.kubernetes.iter().any(bears)
        || workspace.kustomizations.iter().any(|kustomization| words.iter().any(|word| mentions(&kustomization.node, word)))
}

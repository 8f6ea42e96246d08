//! Environment variables that manifests give to a service's containers.

use crate::rules::data_ownership::stores::maps_named;
use crate::workspace::kubernetes::{Object, Reference};
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Service, Workspace};

/// A variable with the value that it has in some environment.
pub struct Given<'w> {
    pub name: &'w str,
    pub value: &'w str,
    pub at: Location,
}

/// Variables that pods of the service have: set in the pod, by a key of a ConfigMap or all of it, by values that a kustomization makes
/// a ConfigMap of. Several of one name where environments differ.
pub fn variables<'w>(workspace: &'w Workspace, service: &'w Service) -> Vec<Given<'w>> {
    let mut found = Vec::new();
    for (object, container) in workspace.containers_of(service) {
        found.extend(container.environment.iter().filter_map(|variable| {
            let at = Location::new(object.file, variable.span);
            Some(Given { name: &variable.name, value: variable.value.as_deref()?, at })
        }));
        for reference in container.references.iter().filter(|reference| !reference.secret) {
            for (key, value, at) in config(workspace, object, reference) {
                let name = match (&reference.variable, &reference.key) {
                    (Some(variable), Some(wanted)) if wanted == key => variable,
                    (None, _) => key,
                    _ => continue,
                };
                found.push(Given { name, value, at });
            }
        }
    }
    found
}

/// Keys and values of the ConfigMaps that a reference may mean.
fn config<'w>(
    workspace: &'w Workspace,
    object: &'w Object,
    reference: &'w Reference,
) -> impl Iterator<Item = (&'w str, &'w str, Location)> {
    let maps = maps_named(workspace, object, &reference.object).filter_map(|map| Some((map.file, map.node.get("data")?)));
    let stated = maps.flat_map(|(file, data)| {
        let entries = data.entries().iter();
        entries.filter_map(move |(key, value)| Some((key.as_str()?, value.as_str()?, Location::new(file, value.span))))
    });
    let generated = workspace.kustomizations.iter().flat_map(|kustomization| {
        let generators = kustomization.node.get("configMapGenerator").map(Node::items).unwrap_or_default().iter();
        let is_it = |generator: &&Node| generator.get("name").and_then(Node::as_str) == Some(reference.object.as_str());
        let literals = generators.filter(is_it).filter_map(|generator| generator.get("literals")).flat_map(Node::items);
        literals.filter_map(|literal| {
            let (key, value) = literal.as_str()?.split_once('=')?;
            Some((key, value, Location::new(kustomization.file, literal.span)))
        })
    });
    stated.chain(generated)
}

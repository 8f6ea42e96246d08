//! What files give to a service: variables of containers, and settings.

use cargo_metadata::camino::Utf8Path;

use crate::rules::paths;
use crate::workspace::compose::Compose;
use crate::workspace::kubernetes::{Container, Kustomization, Object, Reference};
use crate::workspace::manifest::join;
use crate::workspace::settings::Settings;
use crate::workspace::variables::Variable;
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Service, Workspace};

/// Compose files that include one another are followed this far.
const MAX_INCLUDES: usize = 8;

/// A variable or a key, with the value that it has in some environment.
#[derive(Clone, Copy, Debug)]
pub struct Given<'w> {
    pub key: &'w str,
    pub value: &'w str,
    pub at: Location,
}

/// Where a host name means one machine. Names with a dot mean the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Kubernetes,
    Compose(FileId),
    Settings,
}

/// What is given together: to a container, to a compose service, in a file.
pub type Set<'w> = (Scope, Vec<Given<'w>>);

/// All that files give to a service, save what is only shown.
pub fn given<'w>(workspace: &'w Workspace, service: &'w Service) -> Vec<Set<'w>> {
    let mut found: Vec<Set<'w>> = Vec::new();
    for (object, container) in workspace.containers_of(service) {
        found.push((Scope::Kubernetes, of_container(workspace, object, container)));
    }
    for (compose, entry) in workspace.compose_of(service) {
        let scope = Scope::Compose(system(workspace, compose));
        found.push((scope, stated(&entry.environment, compose.file)));
        for path in &entry.env_file {
            let settings = settings_at(workspace, compose.file, &path.value);
            found.extend(settings.map(|settings| (scope, entries(settings).collect())));
        }
    }
    found.extend(workspace.settings_of(service).map(|settings| (Scope::Settings, entries(settings).collect())));
    for (_, given) in &mut found {
        given.retain(|given| !paths::is_shown_only(workspace.sources.path(given.at.file)));
    }
    found
}

/// Variables that the service's pods have; several of one name where environments differ.
pub fn variables<'w>(workspace: &'w Workspace, service: &'w Service) -> Vec<Given<'w>> {
    workspace.containers_of(service).flat_map(|(object, container)| of_container(workspace, object, container)).collect()
}

/// Variables of a container: set in the pod, by a key of a ConfigMap or all of it, by values and files that a kustomization makes a
/// ConfigMap of.
fn of_container<'w>(workspace: &'w Workspace, object: &'w Object, container: &'w Container) -> Vec<Given<'w>> {
    let mut found = stated(&container.environment, object.file);
    for reference in container.references.iter().filter(|reference| !reference.secret) {
        found.extend(of_maps(workspace, object, reference).filter_map(|given| match (&reference.variable, &reference.key) {
            (Some(variable), Some(wanted)) if wanted == given.key => Some(Given { key: variable, ..given }),
            (None, _) => Some(given),
            _ => None,
        }));
    }
    found
}

/// Variables with their values, of a file.
fn stated(variables: &[Variable], file: FileId) -> Vec<Given<'_>> {
    let given = |variable: &'_ Variable| Location::new(file, variable.span);
    let known = variables.iter().filter_map(|variable| Some((variable, variable.value.as_deref()?)));
    known.map(|(variable, value)| Given { key: &variable.name, value, at: given(variable) }).collect()
}

fn entries(settings: &Settings) -> impl Iterator<Item = Given<'_>> {
    settings.entries.iter().map(|entry| Given {
        key: &entry.key,
        value: &entry.value,
        at: Location::new(settings.file, entry.span),
    })
}

/// The settings at a path that a file names.
fn settings_at<'w>(workspace: &'w Workspace, from: FileId, path: &str) -> Option<&'w Settings> {
    let folder = workspace.sources.path(from).parent().unwrap_or(Utf8Path::new(""));
    let file = workspace.sources.find(&join(folder, path)?)?;
    workspace.settings.iter().find(|settings| settings.file == file)
}

/// Keys and values of the ConfigMaps that a reference may mean.
fn of_maps<'w>(workspace: &'w Workspace, object: &'w Object, reference: &'w Reference) -> impl Iterator<Item = Given<'w>> {
    let stated = maps_named(workspace, object, &reference.object).flat_map(|map| {
        let data = map.node.get("data").map(Node::entries).unwrap_or_default().iter();
        data.filter_map(move |(key, value)| {
            Some(Given { key: key.as_str()?, value: value.as_str()?, at: Location::new(map.file, value.span) })
        })
    });
    let made = workspace.kustomizations.iter().flat_map(move |kustomization| {
        let generators = kustomization.node.get("configMapGenerator").map(Node::items).unwrap_or_default().iter();
        let is_it = |generator: &&Node| generator.get("name").and_then(Node::as_str) == Some(reference.object.as_str());
        generators.filter(is_it).flat_map(|generator| generated(workspace, kustomization, generator))
    });
    stated.chain(made)
}

/// What a generator of a kustomization puts into its ConfigMap as variables.
fn generated<'w>(workspace: &'w Workspace, kustomization: &'w Kustomization, generator: &'w Node) -> Vec<Given<'w>> {
    let literals = generator.get("literals").map(Node::items).unwrap_or_default().iter().filter_map(|literal| {
        let (key, value) = literal.as_str()?.split_once('=')?;
        Some(Given { key, value, at: Location::new(kustomization.file, literal.span) })
    });
    let files = ["envs", "env"].into_iter().filter_map(|key| generator.get(key)).flat_map(Node::texts);
    let settings = files.filter_map(|file| settings_at(workspace, kustomization.file, &file.value));
    literals.chain(settings.flat_map(entries)).collect()
}

/// The compose file that starts it with others: one that includes it, by way of others too.
pub fn system(workspace: &Workspace, compose: &Compose) -> FileId {
    let includes = |outer: &&Compose, inner: FileId| {
        let folder = workspace.sources.path(outer.file).parent().unwrap_or("".into());
        let mut paths = outer.include.iter().filter_map(|path| join(folder, &path.value));
        outer.file != inner && paths.any(|path| workspace.sources.find(path.as_path()) == Some(inner))
    };
    let mut file = compose.file;
    for _ in 0..MAX_INCLUDES {
        match workspace.compose.iter().find(|outer| includes(outer, file)) {
            Some(outer) => file = outer.file,
            None => break,
        }
    }
    file
}

/// ConfigMaps whose keys are files of a container.
pub fn mounted_maps<'w>(
    workspace: &'w Workspace,
    object: &'w Object,
    container: &'w Container,
) -> impl Iterator<Item = &'w Object> {
    let volumes = object.pod.as_ref().and_then(|pod| pod.node.get("volumes")).map(Node::items).unwrap_or_default();
    let volumes = volumes.iter().filter_map(|volume| Some((volume.get("name")?.as_str()?, volume.get("configMap")?)));
    let of_container = volumes.filter(|(name, _)| container.mounts.iter().any(|mount| mount == name));
    of_container.filter_map(|(_, map)| map.get("name")?.as_str()).flat_map(|name| maps_named(workspace, object, name))
}

/// ConfigMaps of that name that stand in the namespace of an object.
fn maps_named<'w>(workspace: &'w Workspace, object: &'w Object, name: &'w str) -> impl Iterator<Item = &'w Object> {
    let namespace = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
    let is_it =
        move |map: &&Object| map.kind.value == "ConfigMap" && map.name.value == name && namespace(map) == namespace(object);
    workspace.kubernetes.iter().filter(is_it)
}

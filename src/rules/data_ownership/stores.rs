//! Which service uses which database, as far as files say, and whether two services use the same.

use std::collections::{BTreeMap, BTreeSet};

use super::database::{Database, Entry, databases};
use crate::rules::paths;
use crate::workspace::compose::Compose;
use crate::workspace::kubernetes::{Container, Object};
use crate::workspace::manifest::join;
use crate::workspace::variables::Variable;
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Service, Workspace};

/// Compose files that include one another are followed this far.
const MAX_INCLUDES: usize = 8;

/// One service and one place that says which database it uses.
pub struct Use<'w> {
    pub service: &'w Service,
    pub database: Database,
    pub at: Location,
}

/// Where a host name means one machine. Names with a dot mean the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Kubernetes,
    Compose(FileId),
    Settings,
}

/// By database; schema and user are left to each use.
pub type Uses<'w> = BTreeMap<(Scope, Database), Vec<Use<'w>>>;

/// What files say of the databases of two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Same,
    Different,
    Unknown,
}

/// What each service's files hold: manifests, compose files, settings.
pub fn entries_of<'w>(workspace: &'w Workspace, service: &'w Service) -> Vec<(Scope, FileId, Vec<Entry<'w>>)> {
    let mut found = Vec::new();
    for (object, container) in workspace.containers_of(service) {
        found.push((Scope::Kubernetes, object.file, entries(&container.environment)));
        for map in config_maps(workspace, object, container) {
            let data = map.node.get("data").map(Node::entries).unwrap_or_default();
            let data = data
                .iter()
                .filter_map(|(key, value)| Some(Entry { key: key.as_str()?, value: value.as_str()?, span: value.span }));
            found.push((Scope::Kubernetes, map.file, data.collect()));
        }
    }
    for (compose, entry) in workspace.compose_of(service) {
        let scope = Scope::Compose(system(workspace, compose));
        found.push((scope, compose.file, entries(&entry.environment)));
        let folder = workspace.sources.path(compose.file).parent().unwrap_or("".into());
        for path in &entry.env_file {
            let file = join(folder, &path.value).and_then(|path| workspace.sources.find(path.as_path()));
            let settings = workspace.settings.iter().find(|settings| Some(settings.file) == file);
            let own = settings.into_iter().flat_map(|settings| &settings.entries);
            let own = own.map(|entry| Entry { key: &entry.key, value: &entry.value, span: entry.span }).collect();
            found.extend(settings.map(|settings| (scope, settings.file, own)));
        }
    }
    for settings in workspace.settings_of(service) {
        let own = settings.entries.iter().map(|entry| Entry { key: &entry.key, value: &entry.value, span: entry.span });
        found.push((Scope::Settings, settings.file, own.collect()));
    }
    found.retain(|(_, file, _)| !paths::is_shown_only(workspace.sources.path(*file)));
    found
}

/// The compose file that starts it with others: one that includes it, by way of others too.
fn system(workspace: &Workspace, compose: &Compose) -> FileId {
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

/// Which database each service uses.
pub fn uses(workspace: &Workspace) -> Uses<'_> {
    let mut uses = Uses::new();
    for service in &workspace.services {
        for (scope, file, entries) in entries_of(workspace, service) {
            for (database, span) in databases(&entries) {
                if scope == Scope::Settings && [&database.host, &database.name].into_iter().any(|text| text.contains('$')) {
                    continue;
                }
                let Some(database) = resolve(database, service) else { continue };
                let scope = if database.host.contains('.') { Scope::Settings } else { scope };
                let key = (scope, Database { schema: None, user: None, ..database.clone() });
                uses.entry(key).or_default().push(Use { service, database, at: Location::new(file, span) });
            }
        }
    }
    uses
}

/// Two services of one system whose schemas are not known to differ.
pub fn shares(workspace: &Workspace, one: &Use, other: &Use) -> bool {
    let differ = matches!((&one.database.schema, &other.database.schema), (Some(one), Some(other)) if one != other);
    let system = |used: &Use| &workspace.packages[used.service.package].workspace;
    // Programs of different Cargo workspaces that both name `localhost` need not run together.
    let local = one.database.host == "localhost" && system(one) != system(other);
    one.service.package != other.service.package && !differ && !local
}

/// What the files say of the databases of two packages.
pub fn relation(workspace: &Workspace, uses: &Uses<'_>, one: usize, other: usize) -> Relation {
    let of = |uses: &[Use<'_>], package: usize| uses.iter().position(|used| used.service.package == package);
    let mut seen: [BTreeSet<Scope>; 2] = Default::default();
    for ((scope, _), uses) in uses {
        let [first, second] = [of(uses, one), of(uses, other)];
        if let (Some(first), Some(second)) = (first, second)
            && shares(workspace, &uses[first], &uses[second])
        {
            return Relation::Same;
        }
        for (seen, found) in seen.iter_mut().zip([first, second]) {
            seen.extend(found.map(|_| *scope));
        }
    }
    let comparable = !seen[0].is_disjoint(&seen[1]);
    let store = |package: usize| {
        let of_package = workspace.services.iter().filter(|service| service.package == package);
        of_package.filter_map(|service| service.store.as_ref().map(|store| store.value)).next()
    };
    let engines_differ = matches!((store(one), store(other)), (Some(one), Some(other)) if one != other);
    // A file of its own for each.
    let files = [one, other].into_iter().any(|package| store(package) == Some(crate::service::Store::Sqlite));
    if comparable || engines_differ || files { Relation::Different } else { Relation::Unknown }
}

/// A service that works on another's data by design.
pub fn is_job(service: &Service) -> bool {
    const JOBS: &[&str] = &["migrate", "migrator", "migration", "migrations", "seed", "seeder", "backup", "restore"];
    let words = [&service.name, &service.binary].into_iter().flat_map(|name| name.split(['-', '_']));
    words.into_iter().any(|word| JOBS.contains(&word))
}

/// A path to a SQLite file, from the audited root; `None` where it leads out of it.
fn resolve(database: Database, service: &Service) -> Option<Database> {
    match database.engine {
        "sqlite" => Some(Database { name: join(&service.directory, &database.name)?.into_string(), ..database }),
        _ => Some(database),
    }
}

fn entries(variables: &[Variable]) -> Vec<Entry<'_>> {
    variables
        .iter()
        .filter_map(|variable| Some(Entry { key: &variable.name, value: variable.value.as_deref()?, span: variable.span }))
        .collect()
}

/// The ConfigMaps that a container takes its whole environment from.
fn config_maps<'w>(workspace: &'w Workspace, object: &'w Object, container: &'w Container) -> impl Iterator<Item = &'w Object> {
    let names = container.references.iter().filter(|reference| !reference.secret && reference.variable.is_none());
    names.flat_map(|reference| maps_named(workspace, object, &reference.object))
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
pub fn maps_named<'w>(workspace: &'w Workspace, object: &'w Object, name: &'w str) -> impl Iterator<Item = &'w Object> {
    let namespace = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
    let is_it =
        move |map: &&Object| map.kind.value == "ConfigMap" && map.name.value == name && namespace(map) == namespace(object);
    workspace.kubernetes.iter().filter(is_it)
}

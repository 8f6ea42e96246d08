use std::collections::{BTreeMap, BTreeSet};

use super::database::{Database, Entry, databases};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::paths;
use crate::workspace::kubernetes::{Container, Object};
use crate::workspace::manifest::join;
use crate::workspace::variables::Variable;
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Service, Workspace};

declare_rule! {
    /// Two services use the same database.
    ///
    /// ## Why is this bad?
    /// Each can read and change the other's tables, so neither can change its schema, move its data or restore a backup alone;
    /// one slow query or an exhausted connection limit stops both.
    ///
    /// ## Example
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://orders@db:5432/shop"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://billing@db:5432/shop"}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://orders@db:5432/orders"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://billing@db:5432/billing"}
    /// ```
    /// One server may hold both databases. What `billing` needs of `orders` it asks its API for, or keeps a copy of by events.
    ///
    /// ## Not reported when
    /// - each states a schema of its own (`?schema=`, `search_path`, a `schema` key);
    /// - one of the two migrates, seeds or backs up: it is a job on the other's data;
    /// - host or name come from outside (a secret, an unset variable, a template), or the same host name stands in compose files
    ///   that do not belong together;
    /// - both are binaries of one package;
    /// - it is a SQLite file inside the service's own folder or its container.
    ///
    /// ## Source
    /// "Shared persistence", Taibi and Lenarduzzi (IEEE Software 2018) and MARS (Tighilt et al., Journal of Systems and Software
    /// 2023); C. Richardson, "Pattern: Database per service".
    "shared-database", "MSVC501", Practice::DataOwnership, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// One service and one place that says which database it uses.
struct Use<'w> {
    service: &'w Service,
    database: Database,
    at: Location,
}

/// Where a host name means one machine. Names with a dot mean the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Kubernetes,
    Compose(FileId),
    Settings,
}

type Uses<'w> = BTreeMap<(Scope, Database), Vec<Use<'w>>>;

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut uses = Uses::new();
    let mut add = |scope: Scope, service, entries: &[Entry], file: FileId| {
        if paths::is_shown_only(workspace.sources.path(file)) {
            return;
        }
        for (database, span) in databases(entries) {
            if scope == Scope::Settings && [&database.host, &database.name].into_iter().any(|text| text.contains('$')) {
                continue;
            }
            let Some(database) = resolve(database, service) else { continue };
            let scope = if database.host.contains('.') { Scope::Settings } else { scope };
            let key = (scope, Database { schema: None, ..database.clone() });
            uses.entry(key).or_default().push(Use { service, database, at: Location::new(file, span) });
        }
    };
    for service in &workspace.services {
        for (object, container) in workspace.containers_of(service) {
            add(Scope::Kubernetes, service, &entries(&container.environment), object.file);
            for map in config_maps(workspace, object, container) {
                let data = map.node.get("data").map(Node::entries).unwrap_or_default();
                let data = data
                    .iter()
                    .filter_map(|(key, value)| Some(Entry { key: key.as_str()?, value: value.as_str()?, span: value.span }));
                add(Scope::Kubernetes, service, &data.collect::<Vec<_>>(), map.file);
            }
        }
        for (compose, entry) in workspace.compose_of(service) {
            add(Scope::Compose(compose.file), service, &entries(&entry.environment), compose.file);
        }
        for settings in workspace.settings_of(service) {
            let own = settings.entries.iter().map(|entry| Entry { key: &entry.key, value: &entry.value, span: entry.span });
            add(Scope::Settings, service, &own.collect::<Vec<_>>(), settings.file);
        }
    }

    // The same pair on the same database, said in several places, is one fault.
    let mut reported: BTreeSet<(Vec<&str>, String)> = BTreeSet::new();
    for ((_, database), uses) in &uses {
        let uses = first_of_each_service(workspace, uses);
        let names: Vec<&str> = uses.iter().map(|used| used.service.name.as_str()).collect();
        if names.len() > 1 && reported.insert((names, database.name.clone())) {
            out.push(finding(database, &uses));
        }
    }
}

/// One place for each service, by name; only those that share with another, and of each package one.
fn first_of_each_service<'u, 'w>(workspace: &Workspace, uses: &'u [Use<'w>]) -> Vec<&'u Use<'w>> {
    let mut by_package: BTreeMap<usize, &Use> = BTreeMap::new();
    for used in uses.iter().filter(|used| !is_job(used.service)) {
        by_package.entry(used.service.package).or_insert(used);
    }
    let all: Vec<&Use> = by_package.into_values().collect();
    let mut sharing: Vec<&Use> =
        all.iter().filter(|one| all.iter().any(|other| shares(workspace, one, other))).copied().collect();
    sharing.sort_by(|a, b| a.service.name.cmp(&b.service.name));
    sharing
}

/// Two services of one system whose schemas are not known to differ.
fn shares(workspace: &Workspace, one: &Use, other: &Use) -> bool {
    let differ = matches!((&one.database.schema, &other.database.schema), (Some(one), Some(other)) if one != other);
    let system = |used: &Use| &workspace.packages[used.service.package].workspace;
    // Programs of different Cargo workspaces that both name `localhost` need not run together.
    let local = one.database.host == "localhost" && system(one) != system(other);
    one.service.package != other.service.package && !differ && !local
}

fn finding(database: &Database, uses: &[&Use]) -> Diagnostic {
    let names: Vec<String> = uses.iter().map(|used| format!("`{}`", used.service.name)).collect();
    let (last, before) = names.split_last().expect("at least two services");
    let place = if database.host.is_empty() { String::new() } else { format!(" on `{}`", database.host) };
    let (first, others) = uses.split_first().expect("at least two services");
    let schemas = uses.iter().filter(|used| used.database.schema.is_some()).count();
    let mut diagnostic = Diagnostic::new(
        format!("{} and {last} use the same database `{}`{place}", before.join(", "), database.name),
        first.at,
        format!("`{}` connects here", first.service.name),
    )
    .help("give each service a database of its own, and let the others ask its API; one server may hold them all")
    .evidence("a schema of its own for each")
    .evidence("a job that migrates, seeds or backs up")
    // One of them may keep to a schema that the other does not touch.
    .confidence(if schemas == 0 { Confidence::High } else { Confidence::Medium })
    .service(&first.service.name);
    for used in others {
        diagnostic = diagnostic.related(used.at, format!("`{}` connects here", used.service.name));
    }
    diagnostic
}

/// A service that works on another's data by design.
fn is_job(service: &Service) -> bool {
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
    names.flat_map(move |reference| {
        let is_it = move |map: &&Object| {
            let namespace = |object: &Object| object.namespace.as_ref().map(|namespace| namespace.value.clone());
            map.kind.value == "ConfigMap" && map.name.value == reference.object && namespace(map) == namespace(object)
        };
        workspace.kubernetes.iter().filter(is_it)
    })
}

//! Which service uses which database, as far as files say, and whether two services use the same.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::camino::Utf8PathBuf;

use super::database::{Database, database_file, databases};
use crate::rules::given::{Scope, given, system};
use crate::rules::paths;
use crate::workspace::manifest::join;
use crate::workspace::variables::Variable;
use crate::workspace::{FileId, Location, Service, Workspace};

/// One service and one place that says which database it uses.
pub struct Use<'w> {
    pub service: &'w Service,
    pub database: Database,
    pub at: Location,
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

/// Which database each service uses.
pub fn uses(workspace: &Workspace) -> Uses<'_> {
    let mut uses = Uses::new();
    for service in &workspace.services {
        for (scope, given) in given(workspace, service) {
            for (database, at) in databases(&given) {
                if scope == Scope::Settings && [&database.host, &database.name].into_iter().any(|text| text.contains('$')) {
                    continue;
                }
                let Some(database) = resolve(database, service) else { continue };
                let scope = if database.host.contains('.') { Scope::Settings } else { scope };
                let key = (scope, Database { schema: None, user: None, ..database.clone() });
                uses.entry(key).or_default().push(Use { service, database, at });
            }
        }
        for (scope, database, at) in on_volumes(workspace, service) {
            uses.entry((scope, database.clone())).or_default().push(Use { service, database, at });
        }
    }
    uses
}

/// SQLite files of a service on volumes and folders that compose mounts, named by these.
fn on_volumes<'w>(workspace: &'w Workspace, service: &'w Service) -> Vec<(Scope, Database, Location)> {
    let mut found = Vec::new();
    for (compose, entry) in
        workspace.compose_of(service).filter(|(compose, _)| !paths::is_shown_only(workspace.sources.path(compose.file)))
    {
        let own = entry.environment.iter().map(|variable| (compose.file, variable));
        let of_image = workspace.dockerfiles_of(service).flat_map(|image| {
            let stages = image.lineage(image.last_stage());
            stages.flat_map(|stage| &stage.environment).map(|variable| (image.file, variable))
        });
        let is_left = |(_, variable): &(FileId, &Variable)| !entry.environment.iter().any(|own| own.name == variable.name);
        for (file, variable) in own.chain(of_image.filter(is_left)) {
            let path = variable.value.as_deref().and_then(database_file).filter(|path| path.is_absolute());
            let mounts = entry.mounts.iter().filter(|mount| path.is_some_and(|path| path.starts_with(&mount.target)));
            let Some((path, mount)) = path.zip(mounts.max_by_key(|mount| mount.target.len())) else { continue };
            let folder = workspace.sources.path(compose.file).parent().unwrap_or("".into());
            let source =
                if mount.source.starts_with('.') { join(folder, &mount.source).map(Utf8PathBuf::into_string) } else { None };
            let inside = path.strip_prefix(&mount.target).unwrap_or(path);
            let name = format!("{}/{inside}", source.as_ref().unwrap_or(&mount.source));
            let database = Database { engine: "sqlite", host: String::new(), port: 0, name, schema: None, user: None };
            found.push((Scope::Compose(system(workspace, compose)), database, Location::new(file, variable.span)));
        }
    }
    found
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

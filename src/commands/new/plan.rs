//! Which files services become, in a workspace that is there or a new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use miette::{IntoDiagnostic as _, Report, miette};

use super::place::{self, Place};
use super::wish::{ADMIN_PORT_OFFSET, Wish};
use crate::file_tree::FileTree;
use crate::scaffold::add::{self, AddError, Existing};
use crate::scaffold::{Callee, crates, standard_directory};
use crate::service::{Broker, Discovery, ServiceName, ServiceSpec};

const FIRST_PORT: u16 = 8080;
/// The highest traffic port whose admin port is a port.
const LAST_PORT: u16 = u16::MAX - ADMIN_PORT_OFFSET;

/// Services about to be written.
pub struct Planned {
    pub root: PathBuf,
    pub is_new_workspace: bool,
    pub services: Vec<PlannedService>,
    pub files: FileTree,
    /// Those that are made with them.
    pub crates: Vec<Utf8PathBuf>,
    pub notes: Vec<String>,
}

pub struct PlannedService {
    pub spec: ServiceSpec,
    pub directory: Utf8PathBuf,
    pub callees: Vec<Callee>,
    /// Those that it calls and that are not there yet.
    pub missing: Vec<ServiceName>,
}

/// Plans all that are wished for: at least one, and all or none.
///
/// # Errors
/// When one of them cannot be made there.
pub fn plan(wishes: &[Wish], place: Place) -> miette::Result<Planned> {
    let (root, is_new_workspace) = match place {
        Place::New(root) => (root, true),
        Place::Existing(root) => (root, false),
    };
    let existing = match is_new_workspace {
        true => Existing::default(),
        false => place::read_existing(&root)?,
    };
    let mut used = place::used_ports(&root, &existing.members);
    let mut known = place::callees(&root, &existing.members);
    let publishers = place::publishers(&root, &existing.members);
    for wish in wishes {
        check_partners(wish, &existing, &known, &publishers)?;
    }
    let mut ports = vec![None; wishes.len()];
    // What is wished for is nobody else's.
    for wished in [true, false] {
        for (wish, port) in wishes.iter().zip(&mut ports).filter(|(wish, _)| wish.port.is_some() == wished) {
            let free = free_port(wish.port, &used)?;
            used.extend([free, free + ADMIN_PORT_OFFSET].map(|port| (port, wish.name.to_string())));
            *port = Some(free);
        }
    }
    let specs: Vec<_> = wishes.iter().zip(ports).map(|(wish, port)| wish.on(port.unwrap_or(FIRST_PORT))).collect();
    known.extend(specs.iter().map(Callee::of));
    let services = wishes.iter().zip(specs).map(|(wish, spec)| service(wish, spec, &known, &used));
    let services = services.collect::<miette::Result<Vec<_>>>()?;
    let mut planned = Planned { root, is_new_workspace, services, files: FileTree::default(), crates: vec![], notes: vec![] };
    planned.grow(existing)?;
    planned.notes.extend(not_found(&planned.services));
    Ok(planned)
}

/// Refuses partners that are there and are none: that answer nobody, or do not publish where the service reads.
fn check_partners(
    wish: &Wish,
    existing: &Existing,
    callees: &[Callee],
    publishers: &[(ServiceName, Broker)],
) -> miette::Result<()> {
    let is_there = |name: &&ServiceName| existing.members.iter().any(|member| member.name == name.as_str());
    let is_called = |name: &ServiceName| callees.iter().any(|callee| callee.name == *name);
    if let Some(callee) = wish.calls.iter().filter(is_there).find(|name| !is_called(name)) {
        return Err(miette!(
            help = "leave it away",
            "`{callee}` is in the workspace, and answers nobody: it has no traffic port"
        ));
    }
    let Some(source) = wish.consumes.iter().find(is_there) else { return Ok(()) };
    let broker = Broker::from(wish.broker);
    match publishers.iter().find(|(name, _)| name == source) {
        Some((_, published)) if *published == broker => Ok(()),
        Some((_, published)) => Err(miette!(
            help = format!("read by it too: `--broker {published}`"),
            "`{source}` publishes by {published}, where `{}` does not look",
            wish.name
        )),
        None => Err(miette!(
            help = format!("services that are made with `--broker {broker}` publish what they change"),
            "`{source}` publishes no events"
        )),
    }
}

/// A service with what it calls. One that is not there yet is taken to get the next free port, as it does when it is made
/// next.
fn service(wish: &Wish, spec: ServiceSpec, known: &[Callee], used: &BTreeMap<u16, String>) -> miette::Result<PlannedService> {
    let directory = match &wish.path {
        Some(path) => place::service_directory(path)?,
        None => standard_directory(&spec.name),
    };
    let (mut used, mut missing) = (used.clone(), Vec::new());
    let callee = |name: &ServiceName| {
        known.iter().find(|callee| callee.name == *name).cloned().unwrap_or_else(|| {
            missing.push(name.clone());
            let port = free_port(None, &used).unwrap_or(FIRST_PORT);
            used.insert(port, name.to_string());
            used.insert(port + ADMIN_PORT_OFFSET, name.to_string());
            Callee { port, ..Callee::assumed(name) }
        })
    };
    let callees = spec.calls.iter().map(callee).collect();
    Ok(PlannedService { spec, directory, callees, missing })
}

impl Planned {
    /// One service after the other, each into what the ones before it leave.
    fn grow(&mut self, mut existing: Existing) -> miette::Result<()> {
        let Self { root, is_new_workspace, services, files, crates: created, notes } = self;
        let mut rest = services.iter();
        if *is_new_workspace && let Some(PlannedService { directory, callees, .. }) = rest.next() {
            let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let system: Vec<_> = services.iter().map(|service| &service.spec).collect();
            *files = add::new_workspace(&name, &system, callees, directory).map_err(|error| explain(error, root, ""))?;
            existing = Existing::planned(files);
            let crates = crates::all().into_iter().map(|name| Utf8Path::new(crates::DIRECTORY).join(name));
            created.extend(crates.filter(|place| files.get(place.join("Cargo.toml")).is_some()));
        }
        for PlannedService { spec, directory, callees, .. } in rest {
            let addition = add::add_service(&existing, spec, callees, directory)
                .map_err(|error| explain(error, root, &existing.manifest))?;
            refuse_filled(root, directory)?;
            existing.take(&addition.files);
            files.then(addition.files);
            created.extend(addition.crates);
            // A new workspace's CI starts the databases of all that it begins with.
            if !*is_new_workspace && spec.store.is_on_a_server() {
                notes.push(format!("some of its tests need its database, in CI too: {directory}/README.md says how to start it"));
            }
            // What is said of several is said once.
            notes.extend(addition.notes.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        }
        Ok(())
    }
}

/// Callers that look where a called service does not list itself.
fn not_found(services: &[PlannedService]) -> Vec<String> {
    let lists = |name: &ServiceName| services.iter().find(|service| service.spec.name == *name).map(|it| it.spec.discovery);
    let asking = services.iter().filter(|service| service.spec.discovery.is_a_registry());
    let lost = asking.flat_map(|service| {
        let ServiceSpec { name, discovery, calls, .. } = &service.spec;
        let elsewhere = calls.iter().filter(move |callee| lists(callee).is_some_and(|lists| lists != *discovery));
        elsewhere.map(move |callee| {
            let registry = if *discovery == Discovery::Consul { "Consul" } else { "Eureka" };
            format!(
                "`{name}` looks for `{callee}` in {registry}, where `{callee}` does not list itself: say where it is in \
                 {}__DISCOVERY__ADDRESSES__{}",
                name.env_prefix(),
                callee.env_prefix()
            )
        })
    });
    lost.collect()
}

fn explain(error: AddError, root: &Path, manifest: &str) -> Report {
    match error {
        AddError::Manifest(error) => place::in_manifest(error, &root.join("Cargo.toml"), manifest),
        error @ AddError::NameTaken { .. } => miette!(help = "choose another name", "{error}"),
        AddError::CrateOfThatName(ref name) => miette!(help = format!("try `{name}-service`"), "{error}"),
        error @ AddError::PlaceOfCrate { .. } => miette!(help = "choose another directory with --path", "{error}"),
        error @ AddError::OtherCrate { .. } => {
            miette!(help = "services need a package of that name for themselves: rename yours", "{error}")
        }
        error @ AddError::OldChassis(_) => miette!(
            help = "make the service in a workspace of its own with --workspace, and move the others there one by one: each \
                    is generated anew, and its routes, store and migrations are put in place of the example's",
            "{error}"
        ),
    }
}

/// The directory of a new service must not hold anything yet.
fn refuse_filled(root: &Path, directory: &Utf8Path) -> miette::Result<()> {
    let path = root.join(directory);
    let is_real_directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
    if !is_real_directory {
        // Absent is fine; anything else is refused, with its reason, by the writer.
        return Ok(());
    }
    let entries = fs::read_dir(&path).into_diagnostic()?;
    let mut names: Vec<_> = entries.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    place::refuse_names(&path, &names, "--path")
}

/// The wished port if nobody has it, else the first from [`FIRST_PORT`] that is free with its admin port.
fn free_port(wished: Option<u16>, used: &BTreeMap<u16, String>) -> miette::Result<u16> {
    let owner = |port: u16| [port, port + ADMIN_PORT_OFFSET].into_iter().find_map(|port| used.get_key_value(&port));
    let free = (FIRST_PORT..=LAST_PORT).find(|port| owner(*port).is_none());
    match (wished, free) {
        (Some(wished), free) => match owner(wished) {
            None => Ok(wished),
            Some((port, service)) => Err(miette!(
                help = free.map_or_else(String::new, |free| format!("`--port {free}` is free")),
                "port {port} is taken by `{service}`"
            )),
        },
        (None, Some(free)) => Ok(free),
        (None, None) => Err(miette!("no port from {FIRST_PORT} on is free in this workspace")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let used: BTreeMap<_, _> = [(8080, "a"), (9090, "a"), (9092, "b")].map(|(port, name)| (port, name.to_owned())).into();
        assert_eq!(free_port(None, &BTreeMap::new()).unwrap(), 8080);
        // 8082 is free, its admin port 9092 is not.
        assert_eq!(free_port(None, &used).unwrap(), 8081);
        assert_eq!(free_port(Some(7000), &used).unwrap(), 7000);
        assert_eq!(free_port(Some(8080), &used).unwrap_err().to_string(), "port 8080 is taken by `a`");
        assert_eq!(free_port(Some(8082), &used).unwrap_err().to_string(), "port 9092 is taken by `b`");
    }
}

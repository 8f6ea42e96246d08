//! Adds a service to a workspace that exists, ours or anybody's. Pure: texts in, planned files out.
//!
//! - [`manifest`]: extends the root `Cargo.toml`.
//! - [`inherit`]: fits the generated members to what that manifest offers.
//! - [`compose`]: extends `compose.yaml`.

pub mod compose;
pub mod inherit;
pub mod manifest;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{Document, Item};

use self::inherit::{Needs, fit};
use self::manifest::{ManifestError, RootManifest};
use super::{Callee, chassis_files, every_package, lock_with_service, service_files, workspace_files};
use crate::file_tree::FileTree;
use crate::service::{Discovery, Protocol, ServiceName, ServiceSpec};

/// Where the chassis goes in a workspace that has none.
pub const CHASSIS_DIRECTORY: &str = "crates/chassis";

/// The member of a generated root manifest that finds services.
const SERVICES_GLOB: &str = "services/*";

/// What a workspace holds that matters for adding to it.
#[derive(Debug, Default)]
pub struct Existing {
    /// The root `Cargo.toml`.
    pub manifest: String,
    /// `Cargo.lock`, when there is one.
    pub lock: Option<String>,
    /// `README.md`, when there is one.
    pub readme: Option<String>,
    /// The compose file's name and text, when there is one.
    pub compose: Option<(String, String)>,
    pub members: Vec<Member>,
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// Relative to the workspace's root; empty for a root package.
    pub directory: Utf8PathBuf,
    /// `package.description`, by which our chassis is known.
    pub description: Option<String>,
}

/// A planned addition.
#[derive(Debug)]
pub struct Addition {
    pub files: FileTree,
    /// Where the chassis is created, when it is.
    pub chassis: Option<Utf8PathBuf>,
    /// What the person should know.
    pub notes: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// In the root manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("`{name}` is already a package of this workspace, in `{directory}`")]
    NameTaken { name: ServiceName, directory: Utf8PathBuf },
    /// Its library would hide the crate, and `cargo run -p` would not know which is meant.
    #[error("`{0}` is a crate that services are built from or that Cargo.lock lists")]
    CrateOfThatName(ServiceName),
    #[error("the package `chassis` in `{0}` is not the microservice chassis that services are built on")]
    OtherChassis(Utf8PathBuf),
}

/// Plans a new workspace called `workspace_name` with one service in `directory`.
///
/// # Errors
/// When a crate that services are built from has that name.
pub fn new_workspace(
    workspace_name: &str,
    spec: &ServiceSpec,
    callees: &[Callee],
    directory: &Utf8Path,
) -> Result<FileTree, AddError> {
    refuse_crate_name(&spec.name, &every_package())?;
    let mut files = placed(workspace_files(workspace_name, spec), &spec.name, directory);
    let manifest = text(&files, "Cargo.toml");
    let root = RootManifest::parse(&manifest)?;
    if !root.covers(directory) {
        // Cargo refuses a glob that finds nothing, so the path takes its place.
        files.create("Cargo.toml", manifest.replace(SERVICES_GLOB, directory.as_str()));
    }
    files.extend_at(Utf8Path::new(CHASSIS_DIRECTORY), chassis_files());
    files.extend_at(directory, placed(service_files(spec, callees), &spec.name, directory));
    Ok(files)
}

/// Plans `spec` as a new member of `existing`, in `directory`.
///
/// # Errors
/// When a package or crate has that name, or the root manifest cannot be extended.
pub fn add_service(
    existing: &Existing,
    spec: &ServiceSpec,
    callees: &[Callee],
    directory: &Utf8Path,
) -> Result<Addition, AddError> {
    if let Some(member) = existing.members.iter().find(|member| member.name == spec.name.as_str()) {
        return Err(AddError::NameTaken { name: spec.name.clone(), directory: shown(&member.directory) });
    }
    for lock in [Some(&every_package()), existing.lock.as_ref()].into_iter().flatten() {
        refuse_crate_name(&spec.name, lock)?;
    }
    // With all that some service may inherit: one that calls gRPC needs it as well.
    let grpc = ServiceSpec { protocol: Protocol::Grpc, ..spec.clone() };
    let generated = text(&workspace_files("", &grpc), "Cargo.toml");
    let (ours, theirs) = (RootManifest::parse(&generated)?, RootManifest::parse(&existing.manifest)?);
    let mut needs = Needs::default();
    let mut files = FileTree::default();

    let service = fitted(placed(service_files(spec, callees), &spec.name, directory), &ours, &theirs, &mut needs)?;
    files.extend_at(directory, service);
    let mut created = vec![directory.to_owned()];
    let chassis = existing.members.iter().find(|member| member.name == "chassis");
    let chassis_directory = match chassis {
        Some(member) if is_our_chassis(member) => member.directory.clone(),
        Some(member) => return Err(AddError::OtherChassis(shown(&member.directory))),
        None => {
            let directory = Utf8PathBuf::from(CHASSIS_DIRECTORY);
            files.extend_at(&directory, fitted(chassis_files(), &ours, &theirs, &mut needs)?);
            created.push(directory.clone());
            directory
        }
    };
    if let Some(entry) = needs.dependencies.get_mut("chassis") {
        *entry = format!("{{ path = \"{chassis_directory}\" }}");
    }

    let (covered, uncovered): (Vec<_>, Vec<_>) = created.iter().cloned().partition(|directory| theirs.covers(directory));
    let members: Vec<_> = uncovered.iter().map(Utf8PathBuf::as_path).collect();
    let dependencies: Vec<_> = needs.dependencies.into_iter().collect();
    let mut notes = needs.notes;
    let manifest = theirs.extended(&members, &dependencies)?;
    if manifest != existing.manifest {
        files.replace("Cargo.toml", existing.manifest.as_str(), manifest);
    }
    match &existing.lock {
        // The chassis brought everything into the lock that a service needs.
        Some(lock) if chassis.is_some() && notes.is_empty() && !members_missing(lock) => {
            match lock_with_service(lock, spec, callees) {
                Some(extended) => files.replace("Cargo.lock", lock.as_str(), extended),
                None => notes.push("Cargo.lock is completed by the next `cargo build`".into()),
            }
        }
        Some(_) => notes.push("Cargo.lock is completed by the next `cargo build`".into()),
        None => {}
    }
    if let Some((name, compose)) = &existing.compose {
        let include = format!("{directory}/compose.yaml");
        match compose::with_include(compose, &include) {
            Some(extended) if extended != *compose => files.replace(name.as_str(), compose.as_str(), extended),
            Some(_) => {}
            None => notes.push(format!("to start it with the others, add `{include}` to the `include:` list of {name}")),
        }
    }
    if let Some(readme) = &existing.readme
        && let Some(extended) = with_service_link(readme, &existing.members, &spec.name, directory)
    {
        files.replace("README.md", readme.as_str(), extended);
    }
    if let Some((name, compose)) = &existing.compose
        && spec.discovery == Discovery::Consul
        && !compose.contains("consul")
    {
        notes.push(format!("{name} has no `consul`, where instances list themselves: add an agent of that name"));
    }
    if spec.store.is_on_a_server() {
        notes.push(format!("two of its tests need its database, in CI too: {directory}/README.md says how to start it"));
    }
    // After each of these steps the workspace still builds: a directory that is no member yet harms nothing, and a
    // member that a glob finds needs the manifest's entries.
    files.put_first(uncovered);
    files.put_first(["Cargo.toml".into()]);
    files.put_first(covered);
    let chassis = chassis.is_none().then_some(chassis_directory);
    Ok(Addition { files, chassis, notes })
}

/// `services/<name>`.
pub fn standard_directory(name: &ServiceName) -> Utf8PathBuf {
    format!("services/{name}").into()
}

/// Refuses the name of a crate from a registry that `lock` lists.
fn refuse_crate_name(name: &ServiceName, lock: &str) -> Result<(), AddError> {
    let Ok(lock) = Document::parse(lock) else { return Ok(()) };
    let packages = lock.get("package").and_then(Item::as_array_of_tables).into_iter().flatten();
    let mut crates = packages.filter(|package| package.contains_key("source"));
    let is_taken = crates.any(|package| {
        let crate_name = package.get("name").and_then(Item::as_str).unwrap_or_default();
        crate_name.replace('-', "_") == name.crate_name()
    });
    if is_taken { Err(AddError::CrateOfThatName(name.clone())) } else { Ok(()) }
}

/// `readme` with a link to the service's own README after the last such link; `None` where there is no list of them.
fn with_service_link(readme: &str, members: &[Member], name: &ServiceName, directory: &Utf8Path) -> Option<String> {
    let link = |name: &str, directory: &Utf8Path| format!("- [{name}]({directory}/README.md)");
    let links: Vec<_> = members.iter().map(|member| link(&member.name, &member.directory)).collect();
    let lines: Vec<&str> = readme.split_inclusive('\n').collect();
    let last = lines.iter().rposition(|line| links.iter().any(|link| link == line.trim_end()))?;
    let newline = if readme.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if lines[last].ends_with('\n') { "" } else { newline };
    let (before, after) = lines.split_at(last + 1);
    Some(format!("{}{gap}{}{newline}{}", before.concat(), link(name.as_str(), directory), after.concat()))
}

/// Whether a lock lacks even the chassis: its packages were resolved without ours.
fn members_missing(lock: &str) -> bool {
    let Ok(lock) = Document::parse(lock) else { return true };
    let packages = lock.get("package").and_then(Item::as_array_of_tables);
    !packages.is_some_and(|packages| packages.iter().any(|p| p.get("name").and_then(Item::as_str) == Some("chassis")))
}

fn is_our_chassis(member: &Member) -> bool {
    let generated = text(&chassis_files(), "Cargo.toml");
    let description = |text: &str| {
        let document = Document::parse(text.to_owned()).ok()?;
        document.get("package")?.get("description")?.as_str().map(str::to_owned)
    };
    member.description.is_some() && member.description == description(&generated)
}

/// Files for a service in `directory`, where the templates name the standard one.
fn placed(files: FileTree, name: &ServiceName, directory: &Utf8Path) -> FileTree {
    let standard = standard_directory(name);
    if directory == standard {
        return files;
    }
    let up = |directory: &Utf8Path| vec![".."; directory.components().count()].join("/");
    let mut placed = FileTree::default();
    for (path, file) in files.iter() {
        let contents = String::from_utf8_lossy(&file.contents)
            .replace(standard.as_str(), directory.as_str())
            .replace(&format!("context: {}", up(&standard)), &format!("context: {}", up(directory)));
        placed.create(path, contents);
    }
    placed
}

fn fitted(files: FileTree, ours: &RootManifest, theirs: &RootManifest, needs: &mut Needs) -> Result<FileTree, ManifestError> {
    let manifest = fit(&text(&files, "Cargo.toml"), ours, theirs, needs)?;
    let mut fitted = files;
    fitted.create("Cargo.toml", manifest);
    Ok(fitted)
}

fn text(files: &FileTree, path: &str) -> String {
    files.get(path).map(|file| String::from_utf8_lossy(&file.contents).into_owned()).unwrap_or_default()
}

/// A directory as people read it: `.` for the root.
fn shown(directory: &Utf8Path) -> Utf8PathBuf {
    if directory.as_str().is_empty() { ".".into() } else { directory.to_owned() }
}

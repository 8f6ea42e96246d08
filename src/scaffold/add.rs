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
use super::tree::{root_manifest, service_files, standard_directory, text, workspace_files};
use super::{Callee, crates, every_package, lock_file, lock_with_service};
use crate::file_tree::FileTree;
use crate::service::{Broker, Discovery, ServiceName, ServiceSpec};

/// How the crate described itself that held what are several today.
const OLD_CHASSIS: [&str; 2] = [
    "The microservice chassis: what every service of this workspace needs and none is about",
    "The microservice chassis: what every service of this workspace is built on, and none is about",
];

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

impl Existing {
    /// A workspace of planned files.
    pub fn planned(files: &FileTree) -> Self {
        let mut planned = Self::default();
        planned.take(files);
        planned
    }

    /// What it holds once these files are written.
    pub fn take(&mut self, files: &FileTree) {
        let written = |name: &str| files.get(name).map(|_| text(files, name));
        self.manifest = written("Cargo.toml").unwrap_or_else(|| std::mem::take(&mut self.manifest));
        self.lock = written("Cargo.lock").or_else(|| self.lock.take());
        self.readme = written("README.md").or_else(|| self.readme.take());
        let name = self.compose.as_ref().map_or("compose.yaml", |(name, _)| name).to_owned();
        self.compose = written(&name).map(|text| (name, text)).or_else(|| self.compose.take());
        let manifests = files.iter().filter(|(path, _)| path.file_name() == Some("Cargo.toml"));
        self.members.extend(manifests.filter_map(|(path, _)| Member::of(path.parent()?, &text(files, path.as_str()))));
    }
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// Relative to the workspace's root; empty for a root package.
    pub directory: Utf8PathBuf,
    /// `package.description`, by which our crates are known.
    pub description: Option<String>,
}

impl Member {
    /// `None` where the manifest in that directory is of no package, or no TOML: Cargo will say so better.
    pub fn of(directory: &Utf8Path, manifest: &str) -> Option<Self> {
        let document = Document::parse(manifest).ok()?;
        let package = document.get("package")?;
        let name = package.get("name")?.as_str()?.to_owned();
        let description = package.get("description").and_then(Item::as_str).map(str::to_owned);
        Some(Self { name, directory: directory.to_owned(), description })
    }
}

/// A planned addition.
#[derive(Debug)]
pub struct Addition {
    pub files: FileTree,
    /// Where the crates are that are created with it.
    pub crates: Vec<Utf8PathBuf>,
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
    #[error("`{directory}` cannot hold a service: crates that services are built from go into `{place}`")]
    PlaceOfCrate { directory: Utf8PathBuf, place: Utf8PathBuf },
    #[error("the package `{name}` in `{directory}` is not the microservice chassis that services are built from")]
    OtherCrate { name: &'static str, directory: Utf8PathBuf },
    #[error("the chassis in `{0}` is of an earlier version of this tool, which made one crate of what are several now")]
    OldChassis(Utf8PathBuf),
}

/// Plans a new workspace called `workspace_name` with the first service of a system in `directory`. The others can be added
/// to it, and find what they need beside them.
///
/// # Errors
/// When a crate that services are built from has that name.
pub fn new_workspace(
    workspace_name: &str,
    system: &[&ServiceSpec],
    callees: &[Callee],
    directory: &Utf8Path,
) -> Result<FileTree, AddError> {
    let spec = system[0];
    refuse_crate_name(&spec.name, &every_package())?;
    let service = placed(service_files(spec, callees), &spec.name, directory);
    refuse_place_of_crates(directory)?;
    let mut files = placed(workspace_files(workspace_name, system, std::iter::once(&service)), &spec.name, directory);
    let manifest = text(&files, "Cargo.toml");
    let root = RootManifest::parse(&manifest)?;
    if !root.covers(directory) {
        // Cargo refuses a glob that finds nothing, so the path takes its place.
        files.create("Cargo.toml", manifest.replace(SERVICES_GLOB, directory.as_str()));
    }
    files.create("Cargo.lock", lock_file(&[spec]));
    files.extend_at(directory, service);
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
    refuse_crate_name(&spec.name, &every_package())?;
    refuse_crate_name(&spec.name, &locked_crates(existing.lock.as_deref().unwrap_or_default()))?;
    let generated = root_manifest();
    let (ours, theirs) = (RootManifest::parse(&generated)?, RootManifest::parse(&existing.manifest)?);
    let mut needs = Needs::default();
    let mut files = FileTree::default();

    let service = placed(service_files(spec, callees), &spec.name, directory);
    let needed = crates::needed_by([text(&service, "Cargo.toml").as_str()]);
    files.extend_at(directory, fitted(service, &ours, &theirs, &mut needs)?);
    let mut created = Vec::new();
    for name in needed {
        let place = match existing.members.iter().find(|member| member.name == name) {
            Some(member) => known_crate(name, member)?,
            None => {
                refuse_place_of_crates(directory)?;
                let place = Utf8Path::new(crates::DIRECTORY).join(name);
                files.extend_at(&place, fitted(crates::files(name), &ours, &theirs, &mut needs)?);
                created.push(place.clone());
                place
            }
        };
        if let Some(entry) = needs.dependencies.get_mut(name) {
            *entry = format!("{{ path = \"{place}\" }}");
        }
    }

    let directories = created.iter().cloned().chain([directory.to_owned()]);
    let (covered, uncovered): (Vec<_>, Vec<_>) = directories.partition(|directory| theirs.covers(directory));
    let members: Vec<_> = uncovered.iter().map(Utf8PathBuf::as_path).collect();
    let dependencies: Vec<_> = needs.dependencies.into_iter().collect();
    let mut notes = needs.notes;
    let manifest = theirs.extended(&members, &dependencies)?;
    if manifest != existing.manifest {
        files.replace("Cargo.toml", existing.manifest.as_str(), manifest);
    }
    if let Some(lock) = &existing.lock {
        // A member that states a dependency itself has one that only Cargo knows.
        match lock_with_service(lock, spec, callees).filter(|_| notes.is_empty()) {
            Some(extended) => files.replace("Cargo.lock", lock.as_str(), extended),
            None => notes.push("Cargo.lock is completed by the next `cargo build`".into()),
        }
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
        notes.push(format!("{name} has no `consul`, by which services are found: add an agent of that name"));
    }
    if let Some((name, compose)) = &existing.compose
        && spec.broker != Broker::None
        && !compose.contains(spec.broker.as_str())
    {
        notes.push(format!("{name} has no `{}`, which carries events: add a broker of that name", spec.broker));
    }
    // After each of these steps the workspace still builds: a directory that is no member yet harms nothing, and a
    // member that a glob finds needs the manifest's entries.
    files.put_first(uncovered);
    files.put_first(["Cargo.toml".into()]);
    files.put_first(covered);
    Ok(Addition { files, crates: created, notes })
}

/// A service in the place of a crate that is made with it would take its files, and one above them would hold them.
fn refuse_place_of_crates(directory: &Utf8Path) -> Result<(), AddError> {
    let places = crates::all().into_iter().map(|name| Utf8Path::new(crates::DIRECTORY).join(name));
    match places.into_iter().find(|place| directory.starts_with(place) || place.starts_with(directory)) {
        Some(place) => Err(AddError::PlaceOfCrate { directory: directory.to_owned(), place }),
        None => Ok(()),
    }
}

/// Where a crate is that services are built from, if that member is it.
fn known_crate(name: &'static str, member: &Member) -> Result<Utf8PathBuf, AddError> {
    let described = description(&crates::manifest(name));
    match &member.description {
        there if there.is_some() && *there == described => Ok(member.directory.clone()),
        Some(there) if OLD_CHASSIS.contains(&there.as_str()) => Err(AddError::OldChassis(shown(&member.directory))),
        _ => Err(AddError::OtherCrate { name, directory: shown(&member.directory) }),
    }
}

fn description(manifest: &str) -> Option<String> {
    let document = Document::parse(manifest).ok()?;
    document.get("package")?.get("description")?.as_str().map(str::to_owned)
}

/// The crates from a registry that a lock lists.
fn locked_crates(lock: &str) -> Vec<String> {
    let Ok(lock) = Document::parse(lock) else { return Vec::new() };
    let packages = lock.get("package").and_then(Item::as_array_of_tables).into_iter().flatten();
    let crates = packages.filter(|package| package.contains_key("source"));
    crates.filter_map(|package| package.get("name")?.as_str().map(str::to_owned)).collect()
}

/// Refuses the name of one of these crates from a registry.
fn refuse_crate_name(name: &ServiceName, crates: &[String]) -> Result<(), AddError> {
    let is_taken = crates.iter().any(|taken| taken.replace('-', "_") == name.crate_name());
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

/// A directory as people read it: `.` for the root.
fn shown(directory: &Utf8Path) -> Utf8PathBuf {
    if directory.as_str().is_empty() { ".".into() } else { directory.to_owned() }
}

//! Where a service goes: the workspace around the current directory, or a new one.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use miette::{LabeledSpan, NamedSource, Report, miette};
use toml_edit::{Document, Item};

use crate::scaffold::Callee;
use crate::scaffold::add::manifest::{ManifestError, RootManifest, parse};
use crate::scaffold::add::{Existing, Member};
use crate::service::{Broker, Protocol, ServiceName, Tls};

const MANIFEST: &str = "Cargo.toml";
const COMPOSE_NAMES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// The workspace that a service goes into; paths are absolute.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// It exists and has this root.
    Existing(PathBuf),
    /// It is to be made here.
    New(PathBuf),
}

/// Finds the workspace for a service called `name`, from `here` (absolute) and `--workspace`.
///
/// # Errors
/// When the directory is taken, or a manifest on the way cannot be read.
pub fn find(here: &Path, wished: Option<&Path>, name: &str) -> miette::Result<Place> {
    let Some(wished) = wished else {
        return match surrounding(here)? {
            Surroundings::Workspace(root) => Ok(Place::Existing(root)),
            Surroundings::Package(manifest) => Err(miette!(
                help = "a service needs a workspace: add an empty `[workspace]` table to that Cargo.toml to make it one, or \
                        name a directory for a separate workspace with --workspace",
                "`{}` is a package that belongs to no workspace",
                manifest.display()
            )),
            Surroundings::Nothing => find(here, Some(Path::new(name)), name),
        };
    };
    let root = normal(&here.join(wished));
    if is_workspace(&root)? {
        return Ok(Place::Existing(root));
    }
    refuse_occupied(&root)?;
    if let Some(parent) = root.parent()
        && let Surroundings::Workspace(outer) = surrounding(parent)?
        && !excludes(&outer, &root)?
    {
        return Err(miette!(
            help = "leave --workspace out to add the service to that workspace, or list the directory under `exclude` there",
            "`{}` is inside the workspace `{}`",
            wished.display(),
            outer.display()
        ));
    }
    Ok(Place::New(root))
}

enum Surroundings {
    /// Its root.
    Workspace(PathBuf),
    /// A manifest with no workspace above.
    Package(PathBuf),
    Nothing,
}

/// Walks up as Cargo does.
fn surrounding(here: &Path) -> miette::Result<Surroundings> {
    let mut package = None;
    for directory in here.ancestors() {
        let manifest = directory.join(MANIFEST);
        if !manifest.is_file() {
            continue;
        }
        if is_workspace(directory)? {
            if directory == here || !excludes(directory, here)? {
                return Ok(Surroundings::Workspace(directory.to_owned()));
            }
        } else {
            package.get_or_insert(manifest);
        }
    }
    Ok(package.map_or(Surroundings::Nothing, Surroundings::Package))
}

/// Whether a directory's manifest has a `[workspace]`.
fn is_workspace(directory: &Path) -> miette::Result<bool> {
    let manifest = directory.join(MANIFEST);
    if !manifest.is_file() {
        return Ok(false);
    }
    let text = read(&manifest)?;
    let document = parse(&text).map_err(|error| in_manifest(error, &manifest, &text))?;
    Ok(document.get("workspace").is_some())
}

/// Whether the workspace at `root` lists `directory`, or one above it, under `exclude`.
fn excludes(root: &Path, directory: &Path) -> miette::Result<bool> {
    let manifest = root.join(MANIFEST);
    let text = read(&manifest)?;
    let workspace = RootManifest::parse(&text).map_err(|error| in_manifest(error, &manifest, &text))?;
    Ok(workspace.paths("exclude").iter().any(|excluded| directory.starts_with(normal(&root.join(excluded)))))
}

/// A new workspace is made in a directory that is not there, is empty or holds a fresh repository.
fn refuse_occupied(root: &Path) -> miette::Result<()> {
    match fs::read_dir(root) {
        Ok(entries) => {
            let mut names: Vec<_> =
                entries.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            // Leftovers of a killed run are dealt with by the writer.
            names.retain(|name| name != ".git" && name != crate::file_tree::STAGING);
            names.sort();
            refuse_names(root, &names, "--workspace")
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(miette!(
            help = "choose another directory with --workspace",
            "a workspace cannot be made in `{}`: {error}",
            root.display()
        )),
    }
}

/// Refuses a directory that is to be filled and already holds something.
pub fn refuse_names(directory: &Path, names: &[String], option: &str) -> miette::Result<()> {
    const SHOWN: usize = 10;
    if names.is_empty() {
        return Ok(());
    }
    let mut list: String = names.iter().take(SHOWN).map(|name| format!("\n  {name}")).collect();
    if names.len() > SHOWN {
        list.push_str(&format!("\n  and {} more", names.len() - SHOWN));
    }
    Err(miette!(
        help = format!("nothing that exists is overwritten: move these away, or choose another directory with {option}"),
        "`{}` is not empty; it holds:{list}",
        directory.display()
    ))
}

/// Checks `--path`: relative, inside the workspace, and plain.
///
/// # Errors
/// When it is anything else.
pub fn service_directory(path: &Path) -> miette::Result<Utf8PathBuf> {
    let refuse = |reason: &str| {
        miette!(
            help = "give a directory relative to the workspace's root, for example `--path services/orders`",
            "`--path {}` {reason}",
            path.display()
        )
    };
    let Some(path) = Utf8Path::from_path(path) else { return Err(refuse("is not UTF-8")) };
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Utf8Component::Normal(name) => parts.push(name),
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => return Err(refuse("leads out of the workspace")),
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return Err(refuse("is absolute")),
        }
    }
    if parts.is_empty() {
        return Err(refuse("is the workspace's root"));
    }
    // With `/` everywhere, as Cargo.toml takes it.
    let directory = parts.join("/");
    if let Some(bad) = directory.chars().find(|c| c.is_control() || matches!(c, '"' | '\\' | '*' | '?' | '[' | ']')) {
        return Err(refuse(&format!("holds {bad:?}, which a Cargo.toml cannot list")));
    }
    Ok(directory.into())
}

/// Reads what matters of the workspace at `root`.
///
/// # Errors
/// When its manifest cannot be read.
pub fn read_existing(root: &Path) -> miette::Result<Existing> {
    let path = root.join(MANIFEST);
    let manifest = read(&path)?;
    let workspace = RootManifest::parse(&manifest).map_err(|error| in_manifest(error, &path, &manifest))?;
    let mut directories: Vec<Utf8PathBuf> = vec![Utf8PathBuf::new()];
    for pattern in workspace.paths("members") {
        let found = glob::glob(&format!("{}/{pattern}", glob::Pattern::escape(&root.to_string_lossy())));
        let found = found.into_iter().flatten().filter_map(Result::ok);
        let relative = found.filter_map(|path| Utf8PathBuf::from_path_buf(path.strip_prefix(root).ok()?.to_owned()).ok());
        directories.extend(relative.filter(|directory| workspace.covers(directory)));
    }
    directories.sort();
    directories.dedup();
    let members = directories.into_iter().filter_map(|directory| read_member(root, directory)).collect();
    let optional = |name: &str| fs::read_to_string(root.join(name)).ok();
    let compose = COMPOSE_NAMES.iter().find_map(|name| Some((name.to_string(), optional(name)?)));
    let (lock, readme) = (optional("Cargo.lock"), optional("README.md"));
    drop(workspace);
    Ok(Existing { manifest, lock, readme, compose, members })
}

fn read_member(root: &Path, directory: Utf8PathBuf) -> Option<Member> {
    let text = fs::read_to_string(root.join(&directory).join(MANIFEST)).ok()?;
    Member::of(&directory, &text)
}

/// What carries the events of those members that publish some.
pub fn publishers(root: &Path, members: &[Member]) -> Vec<(ServiceName, Broker)> {
    let publisher = |member: &Member| {
        let manifest = fs::read_to_string(root.join(&member.directory).join(MANIFEST)).ok()?;
        let manifest = Document::parse(manifest).ok()?;
        let stated = manifest.get("package")?.get("metadata")?.get("msvc")?;
        let reads_events = stated.get("protocol").and_then(Item::as_str) == Some(Protocol::Events.as_str());
        let broker = stated.get("broker")?.as_str()?.parse().ok()?;
        (!reads_events).then_some((member.name.parse().ok()?, broker))
    };
    members.iter().filter_map(publisher).collect()
}

/// The members that can be called: those that state a traffic port.
pub fn callees(root: &Path, members: &[Member]) -> Vec<Callee> {
    let callee = |member: &Member| {
        let read = |name: &str| fs::read_to_string(root.join(&member.directory).join(name)).unwrap_or_default();
        let (config, manifest) = (read("config.toml"), read(MANIFEST));
        let (config, manifest) = (Document::parse(config).ok()?, Document::parse(manifest).ok()?);
        let port = config.get("server")?.get("port")?.as_integer()?;
        let stated = |key: &str| {
            let path = ["package", "metadata", "msvc", key];
            path.iter().try_fold(manifest.as_item(), |item, key| item.get(key)).and_then(Item::as_str)
        };
        Some(Callee {
            name: member.name.parse().ok()?,
            port: u16::try_from(port).ok()?,
            protocol: stated("protocol").and_then(|protocol| protocol.parse().ok()).unwrap_or(Protocol::Rest),
            stateless: stated("store") == Some("none"),
            protected: stated("auth") == Some("jwt"),
            tls: stated("tls").and_then(|tls| tls.parse().ok()).unwrap_or(Tls::Mesh),
        })
    };
    members.iter().filter_map(callee).collect()
}

/// Ports that the members' `config.toml` and `[package.metadata.msvc]` claim, and who claims them.
pub fn used_ports(root: &Path, members: &[Member]) -> BTreeMap<u16, String> {
    let mut used = BTreeMap::new();
    for member in members {
        let read = |name: &str| fs::read_to_string(root.join(&member.directory).join(name)).unwrap_or_default();
        let (config, manifest) = (read("config.toml"), read(MANIFEST));
        let places: &[(&str, &[&str])] = &[
            (&config, &["server", "port"]),
            (&config, &["admin", "port"]),
            (&manifest, &["package", "metadata", "msvc", "port"]),
            (&manifest, &["package", "metadata", "msvc", "admin-port"]),
        ];
        for (text, keys) in places {
            let Ok(document) = Document::parse(*text) else { continue };
            let item = keys.iter().try_fold(document.as_item(), |item, key| item.get(key));
            let port = item.and_then(Item::as_integer).and_then(|port| u16::try_from(port).ok());
            if let Some(port) = port {
                used.entry(port).or_insert_with(|| member.name.clone());
            }
        }
    }
    used
}

fn read(path: &Path) -> miette::Result<String> {
    fs::read_to_string(path).map_err(|error| miette!("cannot read `{}`: {error}", path.display()))
}

/// A manifest error with the lines it is about.
pub fn in_manifest(error: ManifestError, path: &Path, text: &str) -> Report {
    let label = |span: Range<usize>| LabeledSpan::at(span, "here");
    let mut diagnostic = miette::MietteDiagnostic::new(format!("`{}`: {}", path.display(), error.message));
    if let Some(span) = error.span {
        diagnostic = diagnostic.with_label(label(span));
    }
    if let Some(help) = error.help {
        diagnostic = diagnostic.with_help(help);
    }
    Report::new(diagnostic).with_source_code(NamedSource::new(path.to_string_lossy(), text.to_owned()))
}

/// `path` without `.` and `..`, by its words alone: what it names need not exist.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

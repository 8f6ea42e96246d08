//! `Cargo.toml` and `Cargo.lock`: packages, targets, dependencies, versions.
//!
//! Read by ourselves, for the spans, and so that a tree that Cargo refuses is audited all the same. Where
//! `cargo metadata` answers, its word on targets and workspaces replaces ours: see [`super::cargo`].

mod features;
mod targets;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::semver::{Op, Version, VersionReq};
use toml_edit::{Item, TableLike};

use super::{FileId, Location, Problem, Span};
use targets::targets;

/// A package of the audited tree.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    /// Its `Cargo.toml`.
    pub manifest: FileId,
    /// Its directory, relative to the audited root; empty for the root itself.
    pub directory: Utf8PathBuf,
    /// Directory of the Cargo workspace it belongs to (its own where it has none).
    pub workspace: Utf8PathBuf,
    pub version: Option<String>,
    pub edition: String,
    pub rust_version: Option<String>,
    pub targets: Vec<Target>,
    pub dependencies: Vec<Dependency>,
    /// `[package.metadata.msvc]`, raw.
    pub metadata: Option<Item>,
    /// Of the `name` value.
    pub name_span: Span,
    /// `panic = "abort"` of the release profile: in the manifest of the workspace, which alone counts.
    pub panic_abort: Option<Location>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub kind: TargetKind,
    pub name: String,
    /// Crate root, relative to the audited root.
    pub root: Utf8PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    Lib,
    /// Runs in the compiler only.
    ProcMacro,
    Bin,
    Test,
    Example,
    Bench,
    BuildScript,
}

#[derive(Clone, Debug)]
pub struct Dependency {
    /// The name code uses (`-` as `_`): the key of the table.
    pub alias: String,
    /// The package's own name.
    pub package: String,
    pub kind: DependencyKind,
    /// Index into [`super::Workspace::packages`], when it is one of them.
    pub local: Option<usize>,
    /// From crates.io: neither a path, a repository nor a registry of somebody's own.
    pub published: bool,
    /// As locked in the nearest Cargo.lock; for a requirement with no lock, the lowest version it admits.
    pub version: Option<String>,
    pub features: Vec<String>,
    /// Where each of them is asked for: here, or in the workspace's manifest.
    pub feature_places: Vec<(String, Location)>,
    pub default_features: bool,
    pub optional: bool,
    /// `cfg(…)` or a target triple, where it stands under `[target.'…']`.
    pub target: Option<String>,
    /// Of the entry in this package's `Cargo.toml`.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    Normal,
    Dev,
    Build,
}

impl Package {
    pub fn library(&self) -> Option<&Target> {
        self.targets.iter().find(|target| target.kind == TargetKind::Lib)
    }

    pub fn binaries(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.kind == TargetKind::Bin)
    }

    /// The dependency that normal code names `alias`.
    pub fn dependency(&self, alias: &str) -> Option<&Dependency> {
        let mut named = self.dependencies.iter().filter(|dependency| dependency.alias == alias);
        named.find(|dependency| dependency.kind == DependencyKind::Normal)
    }

    /// Whether its normal code may use the package called `name`.
    pub fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.kind == DependencyKind::Normal && dependency.package == name)
    }
}

/// A parsed `Cargo.toml`.
pub struct Manifest {
    pub file: FileId,
    /// Of the file, relative to the audited root.
    pub directory: Utf8PathBuf,
    pub root: Item,
}

/// `[[package]]` entries of a `Cargo.lock`.
#[derive(Debug, Default)]
pub struct Lock {
    /// Of the file, relative to the audited root.
    pub directory: Utf8PathBuf,
    packages: Vec<LockedPackage>,
    by_name: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
struct LockedPackage {
    version: String,
    local: bool,
    dependencies: Vec<String>,
}

/// Parses a `Cargo.toml`.
pub fn parse(file: FileId, path: &Utf8Path, text: &str) -> Result<Manifest, Problem> {
    let document = toml_edit::Document::parse(text).map_err(|error| problem(file, "Cargo.toml", &error))?;
    Ok(Manifest { file, directory: directory_of(path), root: document.into_item() })
}

/// Parses a `Cargo.lock`.
pub fn parse_lock(file: FileId, path: &Utf8Path, text: &str) -> Result<Lock, Problem> {
    let document = toml_edit::Document::parse(text).map_err(|error| problem(file, "Cargo.lock", &error))?;
    let mut lock = Lock { directory: directory_of(path), ..Lock::default() };
    for table in document.get("package").and_then(Item::as_array_of_tables).into_iter().flatten() {
        let text = |key: &str| table.get(key).and_then(Item::as_str);
        let (Some(name), Some(version)) = (text("name"), text("version")) else { continue };
        lock.by_name.entry(name.to_owned()).or_default().push(lock.packages.len());
        lock.packages.push(LockedPackage {
            version: version.to_owned(),
            local: text("source").is_none(),
            dependencies: strings(table.get("dependencies")).map(str::to_owned).collect(),
        });
    }
    Ok(lock)
}

pub(super) fn problem(file: FileId, what: &str, error: &toml_edit::TomlError) -> Problem {
    let span = error.span().map_or(Span::default(), |span| Span::new(span.start, span.end));
    let message = format!("not a valid {what}: {}", error.message().trim_end_matches('.'));
    Problem { location: Location::new(file, span), message, help: None }
}

/// Everything that the manifests of one tree say together.
pub struct Manifests<'a> {
    /// In path order.
    pub manifests: &'a [Manifest],
    pub locks: &'a BTreeMap<Utf8PathBuf, Lock>,
    /// Every Rust file, relative to the audited root.
    pub rust_files: &'a BTreeSet<Utf8PathBuf>,
}

/// What [`read`] makes of them.
pub struct Read {
    /// In path order.
    pub packages: Vec<Package>,
    /// What the manifests name that is not there to read.
    pub notes: Vec<Problem>,
    /// Directories of the workspaces that name something outside the audited root: Cargo would go and read it.
    pub leaves_root: BTreeSet<Utf8PathBuf>,
}

/// Packages as the manifests of one tree describe them together.
pub fn read(input: &Manifests<'_>) -> Read {
    let mut notes = Notes::default();
    let by_directory: BTreeMap<&Utf8Path, &Manifest> =
        input.manifests.iter().map(|manifest| (manifest.directory.as_path(), manifest)).collect();
    let members = members(input.manifests, &by_directory, &mut notes);
    let mut packages: Vec<Package> = Vec::new();
    let mut entries = Vec::new();
    for manifest in input.manifests {
        let Some(table) = manifest.root.get("package").and_then(Item::as_table_like) else { continue };
        let Some(name_item) = table.get("name") else { continue };
        let Some(name) = name_item.as_str() else { continue };
        let ancestor = workspace_of(manifest, &by_directory);
        let inherited = |key: &str| match table.get(key) {
            Some(item) if is_inherited(item) => ancestor.and_then(|root| at(&root.root, &["workspace", "package", key])),
            own => own,
        };
        let text = |key: &str| inherited(key).and_then(Item::as_str).map(str::to_owned);
        let edition = text("edition").unwrap_or_else(|| "2015".to_owned());
        let mut outside = |path: &str, span: Span| notes.outside(manifest, span, path);
        let targets = targets(manifest, name, &edition, input.rust_files, &mut outside);
        let member = members.get(manifest.directory.as_path()).copied();
        entries.push((manifest, dependency_entries(manifest, ancestor)));
        packages.push(Package {
            name: name.to_owned(),
            manifest: manifest.file,
            directory: manifest.directory.clone(),
            workspace: member.unwrap_or(&manifest.directory).to_owned(),
            version: text("version"),
            edition,
            rust_version: text("rust-version"),
            targets,
            dependencies: Vec::new(),
            metadata: at(&manifest.root, &["package", "metadata", "msvc"]).cloned(),
            name_span: span_of(name_item),
            panic_abort: by_directory.get(member.unwrap_or(&manifest.directory)).and_then(|root| panic_abort(root)),
        });
    }
    let index: HashMap<Utf8PathBuf, usize> =
        packages.iter().enumerate().map(|(index, package)| (package.directory.clone(), index)).collect();
    for (at, (declaring, entries)) in entries.into_iter().enumerate() {
        let lock = packages[at].directory.ancestors().find_map(|directory| input.locks.get(directory));
        let mut dependencies = Vec::with_capacity(entries.len());
        for entry in entries {
            let local = entry.path.as_ref().and_then(|path| match join(&entry.base, path) {
                Some(directory) => index.get(&directory).copied(),
                None => {
                    notes.outside(declaring, entry.dependency.span, path);
                    None
                }
            });
            let locked = lock.and_then(|lock| lock.version(&packages[at], &entry));
            let version = match local {
                Some(local) => packages[local].version.clone(),
                None => locked.or_else(|| lowest(entry.requirement.as_deref()?)),
            };
            dependencies.push(Dependency { local, version, ..entry.dependency });
        }
        packages[at].dependencies = dependencies;
    }
    let workspaces = packages.iter().filter(|package| notes.escaping.contains(&package.directory));
    let leaves_root = workspaces.map(|package| package.workspace.clone()).chain(notes.escaping.iter().cloned()).collect();
    Read { leaves_root, notes: notes.all, packages }
}

fn panic_abort(root: &Manifest) -> Option<Location> {
    let panic = at(&root.root, &["profile", "release", "panic"])?;
    (panic.as_str() == Some("abort")).then(|| Location::new(root.file, span_of(panic)))
}

/// What the manifests name that is not there to read.
#[derive(Default)]
struct Notes {
    all: Vec<Problem>,
    /// Directories of the manifests that name something outside the root.
    escaping: BTreeSet<Utf8PathBuf>,
}

impl Notes {
    fn outside(&mut self, manifest: &Manifest, span: Span, path: &str) {
        self.escaping.insert(manifest.directory.clone());
        self.all.push(Problem {
            location: Location::new(manifest.file, span),
            message: format!("`{path}` is outside the audited directory and was not read"),
            help: Some("audit a directory that holds both to have it included".to_owned()),
        });
    }

    fn missing_member(&mut self, manifest: &Manifest, span: Span, member: &str) {
        self.all.push(Problem {
            location: Location::new(manifest.file, span),
            message: format!("the workspace member `{member}` has no readable Cargo.toml"),
            help: Some("Cargo refuses this workspace; the packages that are there are audited".to_owned()),
        });
    }
}

/// The manifest whose `[workspace]` a package inherits from: its own, the one it points at, or the nearest above it
/// that does not exclude it.
fn workspace_of<'a>(manifest: &'a Manifest, by_directory: &BTreeMap<&Utf8Path, &'a Manifest>) -> Option<&'a Manifest> {
    if manifest.root.get("workspace").is_some() {
        return Some(manifest);
    }
    if let Some(pointer) = at(&manifest.root, &["package", "workspace"]).and_then(Item::as_str) {
        return by_directory.get(join(&manifest.directory, pointer)?.as_path()).copied();
    }
    manifest.directory.ancestors().skip(1).find_map(|directory| {
        let root = by_directory.get(directory)?;
        let workspace = root.root.get("workspace")?;
        let excluded = strings(workspace.get("exclude"))
            .filter_map(|path| join(directory, path))
            .any(|path| manifest.directory.starts_with(path));
        (!excluded).then_some(*root)
    })
}

/// Directory of each member package, and of its workspace: what `members` matches, the workspace's own package, and the
/// path dependencies of either, as Cargo has it.
fn members<'a>(
    manifests: &'a [Manifest],
    by_directory: &BTreeMap<&'a Utf8Path, &'a Manifest>,
    notes: &mut Notes,
) -> HashMap<&'a Utf8Path, &'a Utf8Path> {
    let mut members: HashMap<&Utf8Path, &Utf8Path> = HashMap::new();
    for root in manifests {
        let Some(workspace) = root.root.get("workspace") else { continue };
        let mut found: Vec<&Manifest> = vec![root];
        for value in workspace.get("members").and_then(Item::as_array).into_iter().flatten() {
            let Some(pattern) = value.as_str() else { continue };
            let span = value.span().map_or(Span::default(), |span| Span::new(span.start, span.end));
            let Some(path) = join(&root.directory, pattern) else {
                notes.outside(root, span, pattern);
                continue;
            };
            if pattern.contains(['*', '?', '[']) {
                // As Cargo has it, `*` stays inside one path segment.
                let Ok(pattern) = glob::Pattern::new(path.as_str()) else { continue };
                let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
                found.extend(manifests.iter().filter(|manifest| pattern.matches_with(manifest.directory.as_str(), options)));
            } else if let Some(member) = by_directory.get(path.as_path()) {
                found.push(member);
            } else {
                notes.missing_member(root, span, pattern);
            }
        }
        let mut seen: HashSet<&Utf8Path> = HashSet::new();
        while let Some(manifest) = found.pop() {
            let belongs = workspace_of(manifest, by_directory).is_some_and(|owner| owner.file == root.file);
            if !belongs || !seen.insert(&manifest.directory) {
                continue;
            }
            members.insert(&manifest.directory, &root.directory);
            for entry in dependency_entries(manifest, Some(root)) {
                let directory = entry.path.as_ref().and_then(|path| join(&entry.base, path));
                let inside = directory.filter(|directory| directory.starts_with(&root.directory));
                found.extend(inside.and_then(|directory| by_directory.get(directory.as_path()).copied()));
            }
        }
    }
    members
}

/// A line of a dependency table, with what the workspace adds to it.
struct Entry {
    dependency: Dependency,
    requirement: Option<String>,
    path: Option<String>,
    /// What `path` is relative to.
    base: Utf8PathBuf,
}

fn dependency_entries(manifest: &Manifest, ancestor: Option<&Manifest>) -> Vec<Entry> {
    const TABLES: [(DependencyKind, &[&str]); 3] = [
        (DependencyKind::Normal, &["dependencies"]),
        (DependencyKind::Dev, &["dev-dependencies", "dev_dependencies"]),
        (DependencyKind::Build, &["build-dependencies", "build_dependencies"]),
    ];
    let targets = manifest.root.get("target").and_then(Item::as_table_like);
    let targets = targets.into_iter().flat_map(|targets| targets.iter()).map(|(target, item)| (Some(target), item));
    let mut entries = Vec::new();
    for (target, holder) in std::iter::once((None, &manifest.root)).chain(targets) {
        for (kind, names) in TABLES {
            let tables = names.iter().filter_map(|name| holder.get(name)).filter_map(Item::as_table_like);
            for (table, (name, item)) in tables.flat_map(|table| table.iter().map(move |entry| (table, entry))) {
                entries.push(entry(manifest, ancestor, kind, target, table, name, item));
            }
        }
    }
    entries
}

fn entry(
    manifest: &Manifest,
    ancestor: Option<&Manifest>,
    kind: DependencyKind,
    target: Option<&str>,
    table: &dyn TableLike,
    name: &str,
    item: &Item,
) -> Entry {
    let shared = ancestor.filter(|_| is_inherited(item));
    let shared_item = shared.and_then(|root| at(&root.root, &["workspace", "dependencies", name]));
    let specification = shared_item.unwrap_or(item);
    let text = |key: &str| specification.get(key).and_then(Item::as_str).map(str::to_owned);
    let flag = |item: &Item, key: &str| item.get(key).and_then(Item::as_bool);
    let default_features = |item: &Item| flag(item, "default-features").or_else(|| flag(item, "default_features"));
    let mut features: Vec<String> = strings(specification.get("features")).map(str::to_owned).collect();
    if shared_item.is_some() {
        features.extend(strings(item.get("features")).map(str::to_owned));
    }
    features.sort();
    features.dedup();
    let mut feature_places = features::places(manifest.file, item);
    feature_places.extend(shared.iter().zip(shared_item).flat_map(|(root, item)| features::places(root.file, item)));
    let key = table.get_key_value(name).and_then(|(key, _)| key.span());
    let span = match (key, item.span()) {
        (Some(key), Some(value)) if key.end <= value.start => Span::new(key.start, value.end),
        (Some(span), _) | (None, Some(span)) => Span::new(span.start, span.end),
        (None, None) => Span::default(),
    };
    Entry {
        requirement: specification.as_str().map(str::to_owned).or_else(|| text("version")),
        path: text("path"),
        base: shared_item.and(shared).unwrap_or(manifest).directory.clone(),
        dependency: Dependency {
            alias: name.replace('-', "_"),
            package: text("package").unwrap_or_else(|| name.to_owned()),
            kind,
            local: None,
            published: ["path", "git", "registry", "registry-index"].iter().all(|key| specification.get(key).is_none()),
            version: None,
            features,
            feature_places,
            default_features: default_features(specification) != Some(false)
                || (shared_item.is_some() && default_features(item) == Some(true)),
            optional: flag(item, "optional") == Some(true),
            target: target.map(str::to_owned),
            span,
        },
    }
}

impl Lock {
    /// The version of `entry` that `package` is locked to.
    fn version(&self, package: &Package, entry: &Entry) -> Option<String> {
        let name = &entry.dependency.package;
        let known = self.by_name.get(name)?;
        let of = |index: &usize| &self.packages[*index];
        let mut locals = self.by_name.get(&package.name).into_iter().flatten().map(of).filter(|locked| locked.local);
        let own = locals.clone().find(|locked| Some(&locked.version) == package.version.as_ref()).or_else(|| locals.next());
        // An edge is `name`, or `name version` where several versions are locked, or those and a source.
        let edges =
            own.into_iter().flat_map(|own| &own.dependencies).filter_map(|edge| edge.split_once(' ').or(Some((edge, ""))));
        let mut versions: Vec<&str> = edges
            .filter(|(package, _)| package == name)
            .filter_map(|(_, rest)| rest.split(' ').next().filter(|version| !version.is_empty()))
            .collect();
        if versions.is_empty() {
            versions = known.iter().map(|index| of(index).version.as_str()).collect();
        }
        let requirement = entry.requirement.as_deref().and_then(|text| VersionReq::parse(text).ok());
        let admitted = |version: &Version| requirement.as_ref().is_none_or(|requirement| requirement.matches(version));
        let parsed = versions.iter().filter_map(|version| Version::parse(version).ok());
        let best = parsed.clone().filter(admitted).max().or_else(|| parsed.max());
        best.map(|version| version.to_string())
    }
}

/// The lowest version that a requirement admits, as far as its first bound says.
fn lowest(requirement: &str) -> Option<String> {
    let requirement = VersionReq::parse(requirement).ok()?;
    let bound = requirement.comparators.iter().find(|bound| !matches!(bound.op, Op::Less | Op::LessEq))?;
    let mut version = Version::new(bound.major, bound.minor.unwrap_or(0), bound.patch.unwrap_or(0));
    version.pre = bound.pre.clone();
    Some(version.to_string())
}

/// `path` seen from `base`, without `.` and `..`; `None` when it leaves the audited root.
pub(crate) fn join(base: &Utf8Path, path: &str) -> Option<Utf8PathBuf> {
    let path = path.replace('\\', "/");
    if path.starts_with('/') || path.get(1..3) == Some(":/") {
        return None;
    }
    let mut parts: Vec<&str> = base.iter().collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.iter().collect())
}

fn directory_of(path: &Utf8Path) -> Utf8PathBuf {
    path.parent().unwrap_or(Utf8Path::new("")).to_owned()
}

fn at<'a>(item: &'a Item, path: &[&str]) -> Option<&'a Item> {
    path.iter().try_fold(item, |item, key| item.get(key))
}

fn is_inherited(item: &Item) -> bool {
    item.get("workspace").and_then(Item::as_bool) == Some(true)
}

fn strings(item: Option<&Item>) -> impl Iterator<Item = &str> {
    item.and_then(Item::as_array).into_iter().flatten().filter_map(toml_edit::Value::as_str)
}

fn span_of(item: &Item) -> Span {
    item.span().map_or(Span::default(), |span| Span::new(span.start, span.end))
}

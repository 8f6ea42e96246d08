//! `Cargo.lock` without running Cargo, so that planning stays pure and the first build can be `--locked`.
//!
//! `templates/lock` has the lock of a workspace with every crate, and of a few packages the dependencies that only some
//! crates ask for, by the features that they turn on. What a workspace locks is the part of it that its services lead to.
//! `BLESS=1 cargo test --test generated lock` writes both from what Cargo resolves.

use std::collections::{BTreeMap, HashMap, HashSet};

use cargo_lock::{Dependency, Lockfile, Package, Version};

use super::tree::service_files;
use super::{Callee, TEMPLATES, crates};
use crate::service::ServiceSpec;

/// A package and its dependencies that only some crates ask for.
type Optional = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The lock of a new workspace that holds these services and what they are built from.
pub fn lock_file(services: &[&ServiceSpec]) -> String {
    let known: Vec<_> = services.iter().map(|spec| Callee::of(spec)).collect();
    let manifests: Vec<_> = services.iter().map(|spec| (*spec, manifest(spec, &known))).collect();
    lock_of(&manifests).expect("the embedded lock holds every dependency of a service").to_string()
}

/// `lock` with one more service. `None` when it is no lock, or holds too little to tell the service's dependencies
/// without asking Cargo: then the next build completes it.
pub fn lock_with_service(lock: &str, spec: &ServiceSpec, known: &[Callee]) -> Option<String> {
    let mut theirs: Lockfile = lock.parse().ok()?;
    // Locked without ours, its packages have other features.
    theirs.packages.iter().find(|package| is_member(package) && package.name.as_str() == "chassis")?;
    let ours = lock_of(&[(spec, manifest(spec, known))])?;
    let optional = optional();
    let before: HashSet<_> = theirs.packages.iter().map(key).collect();
    // Of two versions that could stand for each other Cargo keeps the one that is locked.
    let locked: Vec<_> = theirs.packages.iter().map(Dependency::from).collect();
    let stands_for = |ours: &Dependency| {
        let same = |theirs: &&Dependency| theirs.name == ours.name && theirs.source.is_some() == ours.source.is_some();
        let mut theirs = locked.iter().filter(same).filter(|theirs| are_compatible(&theirs.version, &ours.version));
        theirs.next().unwrap_or(ours).clone()
    };
    for package in ours.packages {
        let wanted: Vec<_> = package.dependencies.iter().map(stands_for).collect();
        let there = stands_for(&Dependency::from(&package));
        match theirs.packages.iter_mut().find(|known| there.matches(known)) {
            None => theirs.packages.push(Package { dependencies: wanted, ..package }),
            Some(known) => {
                let features = optional.get(package.name.as_str());
                let is_optional = |wanted: &&Dependency| features.is_some_and(|it| it.contains_key(wanted.name.as_str()));
                let missing: Vec<_> = wanted.iter().filter(|wanted| !known.dependencies.contains(wanted)).collect();
                let missing: Vec<_> = missing.into_iter().filter(is_optional).cloned().collect();
                if !missing.is_empty() && known.version != package.version {
                    return None;
                }
                known.dependencies.extend(missing);
                known.dependencies.sort();
            }
        }
    }
    let reached = reached(&theirs.packages);
    theirs.packages.retain(|package| before.contains(&key(package)) || reached.contains(&key(package)));
    sort(&mut theirs.packages);
    Some(theirs.to_string())
}

/// Names of all packages that some generated workspace is built from and that come from a registry.
pub fn every_package() -> Vec<String> {
    let packages = embedded().packages.into_iter();
    packages.filter(|package| !is_member(package)).map(|package| package.name.to_string()).collect()
}

fn lock_of(services: &[(&ServiceSpec, String)]) -> Option<Lockfile> {
    let mut lock = embedded();
    let (needed, optional) = (crates::needed_by(services.iter().map(|(_, manifest)| &**manifest)), optional());
    for package in &mut lock.packages {
        let Some(features) = optional.get(package.name.as_str()) else { continue };
        let is_asked_for = |asking: &Vec<String>| asking.iter().any(|name| needed.contains(name.as_str()));
        package.dependencies.retain(|to| features.get(to.name.as_str()).is_none_or(is_asked_for));
    }
    lock.packages.retain(|package| !is_member(package) || needed.contains(package.name.as_str()));
    for (spec, manifest) in services {
        let names = crates::dependencies(manifest);
        let dependencies = names.iter().map(|name| reference(&lock.packages, name)).collect::<Option<Vec<_>>>()?;
        lock.packages.push(Package {
            name: spec.name.as_str().parse().ok()?,
            version: Version::new(0, 1, 0),
            source: None,
            checksum: None,
            dependencies,
            replace: None,
        });
    }
    let reached = reached(&lock.packages);
    lock.packages.retain(|package| reached.contains(&key(package)));
    sort(&mut lock.packages);
    Some(lock)
}

fn manifest(spec: &ServiceSpec, known: &[Callee]) -> String {
    let files = service_files(spec, known);
    files.get("Cargo.toml").map(|file| String::from_utf8_lossy(&file.contents).into_owned()).unwrap_or_default()
}

/// The package of a name; where there are several, the one that the crates use, which share the workspace's requirements.
fn reference(packages: &[Package], name: &str) -> Option<Dependency> {
    let mut found = packages.iter().filter(|package| package.name.as_str() == name);
    match (found.next(), found.next()) {
        (Some(package), None) => Some(package.into()),
        (Some(_), Some(_)) => {
            let used = packages.iter().filter(|package| is_member(package)).flat_map(|package| &package.dependencies);
            used.into_iter().find(|dependency| dependency.name.as_str() == name).cloned()
        }
        (None, _) => None,
    }
}

/// What the members of a workspace lead to, themselves too.
fn reached(packages: &[Package]) -> HashSet<(String, Version)> {
    let by_key: HashMap<_, _> = packages.iter().map(|package| (key(package), package)).collect();
    let mut open: Vec<&Package> = packages.iter().filter(|package| is_member(package)).collect();
    let mut reached = HashSet::new();
    while let Some(package) = open.pop() {
        if reached.insert(key(package)) {
            let dependencies = package.dependencies.iter();
            open.extend(dependencies.filter_map(|to| by_key.get(&(to.name.to_string(), to.version.clone()))));
        }
    }
    reached
}

/// As `^` has it: the leftmost number that is not zero is the same.
fn are_compatible(one: &Version, other: &Version) -> bool {
    let significant = |version: &Version| match (version.major, version.minor) {
        (0, 0) => (0, 0, version.patch),
        (0, minor) => (0, minor, 0),
        (major, _) => (major, 0, 0),
    };
    significant(one) == significant(other)
}

fn key(package: &Package) -> (String, Version) {
    (package.name.to_string(), package.version.clone())
}

fn is_member(package: &Package) -> bool {
    package.source.is_none()
}

/// As Cargo has them.
fn sort(packages: &mut [Package]) {
    packages.sort_by(|a, b| (a.name.as_str(), &a.version).cmp(&(b.name.as_str(), &b.version)));
}

fn embedded() -> Lockfile {
    template("lock/Cargo.lock").parse().expect("the embedded lock is one")
}

fn optional() -> Optional {
    toml_edit::de::from_str(template("lock/optional.toml")).expect("the embedded table is one")
}

fn template(path: &str) -> &'static str {
    TEMPLATES.get_file(path).and_then(|file| file.contents_utf8()).unwrap_or_else(|| panic!("templates/{path} is embedded"))
}

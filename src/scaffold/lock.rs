//! `Cargo.lock` without running Cargo, so that planning stays pure and the first build can be `--locked`.
//!
//! Cargo locks optional dependencies whether or not a feature turns them on, so what the chassis needs is the same for
//! every spec. Only the services' own entries differ: each lists the dependencies of its rendered manifest.

use std::collections::HashMap;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

use super::tree::service_files;
use super::{Callee, TEMPLATES};
use crate::service::ServiceSpec;

/// The package in the embedded lock that stands for any service.
const EXAMPLE: &str = "example-service";

/// The lock of a new workspace that holds these services and the chassis.
pub fn lock_file(services: &[&ServiceSpec]) -> String {
    let mut lock = embedded();
    packages(&mut lock).expect("the embedded lock lists packages").retain(|package| name(package) != EXAMPLE);
    let known: Vec<_> = services.iter().map(|spec| Callee::of(spec)).collect();
    let lock = services.iter().fold(lock.to_string(), |lock, spec| {
        lock_with_service(&lock, spec, &known).expect("the embedded lock holds every dependency of a service")
    });
    // What other services' builds need is not asked for by these: Cargo would take it out, which `--locked` refuses.
    only_reached(&lock).expect("the embedded lock is TOML")
}

/// The lock of every package that some generated workspace is built from.
pub fn every_package() -> String {
    embedded().to_string()
}

/// `lock` without the packages that no member of the workspace leads to.
fn only_reached(lock: &str) -> Option<String> {
    let mut lock: DocumentMut = lock.parse().ok()?;
    let packages = packages(&mut lock)?;
    let all: Vec<&Table> = packages.iter().collect();
    // A dependency is named with its version only where a lock has several.
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, package) in all.iter().enumerate() {
        let version = package.get("version").and_then(Item::as_str).unwrap_or_default();
        for name in [name(package).to_owned(), format!("{} {version}", name(package))] {
            named.entry(name).or_default().push(index);
        }
    }
    let mut reached = vec![false; all.len()];
    let mut open: Vec<usize> = (0..all.len()).filter(|index| !all[*index].contains_key("source")).collect();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            let dependencies = all[index].get("dependencies").and_then(Item::as_array).into_iter().flatten();
            open.extend(dependencies.filter_map(|name| named.get(name.as_str()?)).flatten());
        }
    }
    let mut reached = reached.into_iter();
    packages.retain(|_| reached.next().unwrap_or(false));
    name_plainly(packages);
    Some(lock.to_string())
}

/// A dependency of which there is one version only is named without it, as Cargo does.
fn name_plainly(packages: &mut ArrayOfTables) {
    let mut versions: HashMap<String, usize> = HashMap::new();
    for package in packages.iter() {
        *versions.entry(name(package).to_owned()).or_default() += 1;
    }
    for package in packages.iter_mut() {
        let dependencies = package.get_mut("dependencies").and_then(Item::as_array_mut);
        for dependency in dependencies.into_iter().flat_map(Array::iter_mut) {
            let plain = dependency.as_str().and_then(|entry| entry.split_once(' ')).map(|(name, _)| name.to_owned());
            if let Some(plain) = plain.filter(|plain| versions.get(plain) == Some(&1)) {
                let decor = dependency.decor().clone();
                *dependency = Value::from(plain);
                *dependency.decor_mut() = decor;
            }
        }
    }
}

/// `lock` with one more service. `None` when it is no lock, or holds too little to tell the service's dependencies
/// without asking Cargo: then the next build completes it.
pub fn lock_with_service(lock: &str, spec: &ServiceSpec, known: &[Callee]) -> Option<String> {
    let mut lock: DocumentMut = lock.parse().ok()?;
    let packages = packages(&mut lock)?;
    let dependencies = dependencies(spec, known).iter().map(|name| reference(packages, name)).collect::<Option<Vec<_>>>()?;
    let mut entry = Table::new();
    entry.insert("name", spec.name.as_str().into());
    entry.insert("version", "0.1.0".into());
    entry.insert("dependencies", list(&dependencies));
    // Cargo keeps packages in name order.
    let mut entries: Vec<Table> = std::mem::take(packages).into_iter().collect();
    let at = entries.partition_point(|package| name(package) < spec.name.as_str());
    entries.insert(at, entry);
    for (position, entry) in entries.iter_mut().enumerate() {
        entry.set_position(Some(isize::try_from(position).ok()? + 1));
        entry.decor_mut().set_prefix("\n");
    }
    packages.extend(entries);
    Some(lock.to_string())
}

/// Names of the packages that a service's manifest asks for, in order.
fn dependencies(spec: &ServiceSpec, known: &[Callee]) -> Vec<String> {
    let files = service_files(spec, known);
    let manifest = files.get("Cargo.toml").map(|file| String::from_utf8_lossy(&file.contents).into_owned());
    let manifest: DocumentMut = manifest.unwrap_or_default().parse().expect("a rendered manifest is TOML");
    let mut names: Vec<String> = ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|table| manifest.get(table)?.as_table_like())
        .flat_map(|table| table.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// How a lock refers to a package: by name, and by version too where there are several.
fn reference(packages: &ArrayOfTables, wanted: &str) -> Option<String> {
    let mut found = packages.iter().filter(|package| name(package) == wanted);
    match (found.next(), found.next()) {
        (Some(_), None) => Some(wanted.to_owned()),
        // The chassis shares the workspace's requirements, so it has the version that the service would get.
        (Some(_), Some(_)) => {
            let chassis = packages.iter().find(|package| name(package) == "chassis")?;
            let listed = chassis.get("dependencies")?.as_array()?;
            listed.iter().filter_map(Value::as_str).find(|entry| entry.split(' ').next() == Some(wanted)).map(str::to_owned)
        }
        (None, _) => None,
    }
}

fn embedded() -> DocumentMut {
    let text = TEMPLATES.get_file("workspace/Cargo.lock").and_then(|file| file.contents_utf8());
    text.and_then(|text| text.parse().ok()).expect("the embedded lock is TOML")
}

fn packages(lock: &mut DocumentMut) -> Option<&mut ArrayOfTables> {
    lock.get_mut("package")?.as_array_of_tables_mut()
}

fn name(package: &Table) -> &str {
    package.get("name").and_then(Item::as_str).unwrap_or_default()
}

/// One entry a line, as Cargo writes it.
fn list(entries: &[String]) -> Item {
    let mut array = Array::new();
    for entry in entries {
        let mut value = Value::from(entry.as_str());
        value.decor_mut().set_prefix("\n ");
        array.push_formatted(value);
    }
    array.set_trailing_comma(true);
    array.set_trailing("\n");
    array.into()
}

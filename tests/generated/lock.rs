//! The lock that a workspace comes with is the one that Cargo makes of it.
//!
//! `BLESS=1 cargo test --test generated lock` writes `templates/lock`, after a change to what crates or services depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_lock::{Lockfile, Package};
use cargo_msvc::file_tree::FileTree;
use cargo_msvc::scaffold::{self, crates};
use cargo_msvc::service::{Auth, Discovery, Protocol, ServiceSpec, Store, Tls};
use tempfile::TempDir;

use crate::{BROKERS, cargo, reader, spec, written};

/// Each value of each option with nothing else, and then many together.
fn kinds() -> Vec<Vec<ServiceSpec>> {
    let bare = |protocol| ServiceSpec { protocol, store: Store::None, auth: Auth::None, ..spec("orders") };
    let called = |protocol, tls| ServiceSpec { tls, protocol, store: Store::None, auth: Auth::None, ..spec("stock") };
    let mut kinds = Vec::new();
    for protocol in [Protocol::Rest, Protocol::Grpc] {
        let stores = [Store::None, Store::Sqlite, Store::Postgres, Store::Mysql];
        kinds.extend(stores.map(|store| vec![ServiceSpec { store, ..bare(protocol) }]));
        kinds.push(vec![ServiceSpec { auth: Auth::Jwt, ..bare(protocol) }]);
        kinds.extend(Tls::ALL.iter().map(|&tls| vec![ServiceSpec { tls, ..bare(protocol) }]));
        kinds.extend(Discovery::ALL.iter().map(|&discovery| vec![ServiceSpec { discovery, ..bare(protocol) }]));
        for (other, tls) in [Protocol::Rest, Protocol::Grpc].into_iter().flat_map(|it| Tls::ALL.iter().map(move |tls| (it, *tls)))
        {
            let calls = vec!["stock".parse().unwrap()];
            kinds.push(vec![ServiceSpec { calls, ..bare(protocol) }, called(other, tls)]);
        }
        for (turn, store) in stores.into_iter().enumerate() {
            for step in 0..2 {
                let discovery = Discovery::ALL[(turn + step) % Discovery::ALL.len()];
                let calls = vec!["stock".parse().unwrap()];
                let together = ServiceSpec { store, discovery, tls: Tls::Mtls, calls, ..bare(protocol) };
                let jwt = ServiceSpec { auth: Auth::Jwt, ..together };
                kinds.push(vec![jwt, called(Protocol::Rest, Tls::Mesh)]);
            }
        }
    }
    for &broker in BROKERS {
        kinds.push(vec![ServiceSpec { broker, store: Store::Sqlite, ..bare(Protocol::Rest) }]);
        let stores = [Store::None, Store::Sqlite, Store::Postgres, Store::Mysql];
        kinds.extend(stores.map(|store| vec![ServiceSpec { store, ..reader("stock", broker) }]));
    }
    kinds
}

#[test]
fn the_lock_of_every_kind_is_what_cargo_makes_of_it() {
    if std::env::var_os("BLESS").is_some() {
        return bless();
    }
    for specs in kinds() {
        let root = written(&scaffold::workspace("locked", &specs));
        let planned = lock(root.path());
        // Not `--locked`, which says that it differs and not how.
        cargo(root.path(), &["metadata", "--format-version=1"]);
        assert_eq!(planned, lock(root.path()), "{specs:?}");
    }
}

fn bless() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/lock");
    let whole = with_every_crate(&templates.join("Cargo.lock"));
    let mut full: Lockfile = lock(whole.path()).parse().unwrap();
    full.packages.retain(|package| package.source.is_some() || crates::all().contains(package.name.as_str()));
    let full = full.to_string();
    fs::write(templates.join("Cargo.lock"), &full).unwrap();
    let alone: Vec<_> = crates::all().into_iter().map(|name| (name, alone(name, whole.path(), &full))).collect();
    let kinds: Vec<_> = kinds().iter().map(|specs| resolved(specs, &full)).collect();
    fs::write(templates.join("optional.toml"), optional(&alone, &kinds)).unwrap();
}

/// A workspace of services of every kind and of all crates, as Cargo locks it when it begins with a known lock.
fn with_every_crate(known: &Path) -> TempDir {
    let mut all = kinds().into_iter().flatten().collect::<Vec<_>>();
    for (number, spec) in all.iter_mut().enumerate() {
        spec.name = format!("{}-{number}", spec.name).parse().unwrap();
    }
    let mut tree = scaffold::unlocked_workspace("whole", &all);
    for name in crates::all() {
        tree.extend_at(format!("crates/{name}").as_str().into(), crates::files(name));
    }
    tree.create("Cargo.lock", fs::read(known).unwrap());
    let root = written(&tree);
    cargo(root.path(), &["metadata", "--format-version=1"]);
    root
}

/// What Cargo locks for a crate with those that it names, and nothing else. `whole` is a workspace of all.
fn alone(name: &str, whole: &Path, known: &str) -> Vec<Package> {
    let mut tree = FileTree::default();
    let manifest = fs::read_to_string(whole.join("Cargo.toml")).unwrap();
    tree.create("Cargo.toml", manifest.replace(r#", "services/*""#, ""));
    tree.create("Cargo.lock", known);
    for name in crates::needed_by([crates::manifest(name).as_str()]).into_iter().chain([name]) {
        tree.extend_at(format!("crates/{name}").as_str().into(), crates::files(name));
    }
    locked(&tree)
}

/// What Cargo locks for services.
fn resolved(specs: &[ServiceSpec], known: &str) -> Vec<Package> {
    let mut tree = scaffold::unlocked_workspace("locked", specs);
    tree.create("Cargo.lock", known);
    locked(&tree)
}

fn locked(tree: &FileTree) -> Vec<Package> {
    let root = written(tree);
    cargo(root.path(), &["metadata", "--format-version=1"]);
    let lock: Lockfile = lock(root.path()).parse().unwrap();
    lock.packages
}

/// Which dependencies of packages are not always there, and which crates ask for them.
fn optional(alone: &[(&str, Vec<Package>)], kinds: &[Vec<Package>]) -> String {
    let names = |package: &'_ Package| package.dependencies.iter().map(|to| to.name.as_str().to_owned()).collect::<BTreeSet<_>>();
    let of_registry = |package: &&Package| package.source.is_some();
    let all = || alone.iter().map(|(_, packages)| packages).chain(kinds).flatten().filter(of_registry);
    let mut known: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for package in all() {
        let key = (package.name.as_str(), package.version.to_string());
        known.entry(key).or_default().extend(names(package));
    }
    let mut edges = BTreeSet::new();
    for package in all() {
        let has = names(package);
        let wanted = &known[&(package.name.as_str(), package.version.to_string())];
        let missing = wanted.iter().filter(|to| !has.contains(*to));
        edges.extend(missing.map(|to| (package.name.as_str(), to.as_str())));
    }
    let mut text = String::from("# Written by `BLESS=1 cargo test --test generated lock`.\n");
    let mut section = "";
    for (from, to) in edges {
        let has = |package: &Package| package.name.as_str() == from && names(package).contains(to);
        let asking: BTreeSet<&str> =
            alone.iter().filter(|(_, packages)| packages.iter().any(has)).map(|(name, _)| *name).collect();
        // Who asks by way of another that asks need not be named.
        let directly = |name: &&&str| {
            let by_way_of = crates::needed_by([crates::manifest(name).as_str()]);
            !by_way_of.iter().any(|other| asking.contains(other))
        };
        let direct: Vec<_> = asking.iter().filter(directly).collect();
        assert!(!direct.is_empty(), "no crate asks for {to} of {from}");
        if section != from {
            section = from;
            text += &format!("\n[{from}]\n");
        }
        text += &format!("{to} = {direct:?}\n");
    }
    text
}

fn lock(root: &Path) -> String {
    fs::read_to_string(PathBuf::from(root).join("Cargo.lock")).unwrap()
}

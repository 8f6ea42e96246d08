//! The lock that a workspace comes with is the one that Cargo makes of it.
//!
//! `BLESS=1 cargo test --test generated lock` writes `templates/lock`, after a change to what crates or services depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_lock::{Lockfile, Package};
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
            let discovery = Discovery::ALL[turn % Discovery::ALL.len()];
            let calls = vec!["stock".parse().unwrap()];
            let together = ServiceSpec { store, discovery, tls: Tls::Mtls, calls, ..bare(protocol) };
            let jwt = ServiceSpec { auth: Auth::Jwt, ..together };
            kinds.push(vec![jwt, called(Protocol::Rest, Tls::Mesh)]);
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
    let resolved: Vec<_> = kinds().iter().map(|specs| resolved(specs, &full)).collect();
    fs::write(templates.join("optional.toml"), optional(&resolved)).unwrap();
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

/// The crates of a workspace, and what Cargo locks for it.
type Resolved = (BTreeSet<&'static str>, Vec<Package>);

fn resolved(specs: &[ServiceSpec], known: &str) -> Resolved {
    let mut tree = scaffold::unlocked_workspace("locked", specs);
    tree.create("Cargo.lock", known);
    let root = written(&tree);
    cargo(root.path(), &["metadata", "--format-version=1"]);
    let lock: Lockfile = lock(root.path()).parse().unwrap();
    let there = crates::all().into_iter().filter(|name| lock.packages.iter().any(|package| package.name.as_str() == *name));
    (there.collect(), lock.packages)
}

/// Which dependencies of packages are not always there, and which crates ask for them.
fn optional(all: &[Resolved]) -> String {
    let mut edges: BTreeMap<(&str, &str), Vec<(&BTreeSet<&'static str>, bool)>> = BTreeMap::new();
    let names = |package: &'_ Package| package.dependencies.iter().map(|to| to.name.as_str().to_owned()).collect::<BTreeSet<_>>();
    let packages = || all.iter().flat_map(|(there, packages)| packages.iter().map(move |package| (there, package)));
    let known: Vec<_> = packages().flat_map(|(_, from)| from.dependencies.iter().map(move |to| (from, to))).collect();
    for (there, package) in packages().filter(|(_, package)| package.source.is_some()) {
        let has = names(package);
        let of_it = known.iter().filter(|(from, _)| from.name == package.name && from.version == package.version);
        let wanted: BTreeSet<&str> = of_it.map(|(_, to)| to.name.as_str()).collect();
        for to in wanted {
            edges.entry((package.name.as_str(), to)).or_default().push((there, has.contains(to)));
        }
    }
    let mut text = String::from("# Written by `BLESS=1 cargo test --test generated lock`.\n");
    let mut section = "";
    for ((from, to), seen) in edges.into_iter().filter(|(_, seen)| seen.iter().any(|(_, has)| !has)) {
        let always = |name: &&str| seen.iter().all(|(there, has)| *has || !there.contains(name));
        let met = |name: &&str| seen.iter().any(|(there, _)| there.contains(name));
        let asking: BTreeSet<&str> = crates::all().into_iter().filter(always).filter(met).collect();
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

//! What `new` generates is formatted, free of warnings and passes its own tests, with the lock it came with.
//!
//! Slow, so not part of a plain `cargo test`: `cargo test --test generated`. Builds share `target/generated`; the workspaces
//! themselves stand elsewhere, where no `rustfmt.toml` of ours is above them.

mod lock;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use cargo_msvc::file_tree::FileTree;
use cargo_msvc::scaffold::{self, LONGEST_CALLEE};
use cargo_msvc::service::{Auth, Broker, Discovery, Protocol, ServiceSpec, Store, Tls};
use tempfile::TempDir;

#[test]
fn every_kind_of_service_passes_its_own_checks() {
    let stores = [Store::Sqlite, Store::Postgres, Store::Mysql, Store::None];
    use Protocol::{Grpc, Rest};
    const PROTOCOLS: [Protocol; 8] = [Rest, Grpc, Grpc, Rest, Grpc, Rest, Rest, Grpc];
    // Each store with two ways of discovery, and each of those with two stores; the others in turn.
    for turn in 0..2 * stores.len() {
        let (row, column) = (turn % stores.len(), turn + turn / stores.len());
        let (store, discovery) = (stores[row], Discovery::ALL[column % Discovery::ALL.len()]);
        let (auth, tls) = (Auth::ALL[(turn + turn / 4) % Auth::ALL.len()], Tls::ALL[turn % Tls::ALL.len()]);
        let public = turn / 2 % 2 == 0;
        let protocol = PROTOCOLS[turn];
        let name = format!("{protocol}-{store}-{auth}-{discovery}");
        let calls = if public { vec!["stock".parse().unwrap()] } else { vec![] };
        let spec = ServiceSpec { protocol, store, auth, discovery, tls, public, calls, ..spec(&name) };
        check(&scaffold::workspace("shop", std::slice::from_ref(&spec)), &spec);
    }
}

/// Two of them are called as the routes that services have; each protocol calls each.
#[test]
fn services_of_all_kinds_live_in_one_workspace() {
    let called = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let grpc = |name| ServiceSpec { protocol: Protocol::Grpc, ..spec(name) };
    let specs = [
        ServiceSpec { calls: called(&["echo", "items"]), tls: Tls::Mtls, ..spec("orders") },
        ServiceSpec { store: Store::None, calls: called(&["echo"]), tls: Tls::Mtls, ..spec("items") },
        ServiceSpec { auth: Auth::None, calls: called(&["echo"]), ..spec("prices") },
        ServiceSpec { store: Store::None, auth: Auth::None, tls: Tls::Rustls, ..spec("echo") },
        ServiceSpec { calls: called(&["echo", "items", "repeat", "stock"]), ..grpc("sales") },
        ServiceSpec { store: Store::None, auth: Auth::None, calls: called(&["stock"]), ..grpc("repeat") },
        ServiceSpec { tls: Tls::Mtls, ..grpc("stock") },
        ServiceSpec { calls: called(&["echo", "repeat", "stock"]), ..spec("shipping") },
    ];
    check(&scaffold::workspace("shop", &specs), &specs[0]);
}

/// One that publishes its events and those that read them, for each broker.
#[test]
fn services_with_events_pass_their_own_checks() {
    for &broker in BROKERS {
        let publisher = ServiceSpec { broker, tls: Tls::Rustls, ..spec("orders") };
        let calls = ["inventory", "orders"].map(|name| name.parse().unwrap());
        let specs = [
            publisher.clone(),
            ServiceSpec { broker, protocol: Protocol::Grpc, ..spec("inventory") },
            ServiceSpec { calls: calls.to_vec(), ..reader("stock", broker) },
            ServiceSpec { store: Store::None, ..reader("audit", broker) },
        ];
        check(&scaffold::workspace("shop", &specs), &publisher);
    }
}

/// Names differ in length, and that must not change how the code has to be formatted.
#[test]
fn a_name_of_any_length_leaves_the_code_formatted() {
    let stores = [Store::Sqlite, Store::None, Store::Postgres, Store::Mysql];
    let protocols = [Protocol::Rest, Protocol::Grpc, Protocol::Events];
    let kinds = protocols.map(|protocol| stores.map(|store| (store, protocol))).concat();
    for name in ["a", "service", "test-x", &"n".repeat(LONGEST_CALLEE - 2), &"n".repeat(63)] {
        for &(store, protocol) in &kinds {
            // A name that long is formatted by a first `cargo fmt`, as `new` says.
            let called = format!("{}-x", &name[..name.len().min(LONGEST_CALLEE - 2)]);
            let calls = if name.len() > LONGEST_CALLEE { vec![] } else { vec![called.parse().unwrap()] };
            for (own, tls) in [(Tls::Mesh, Tls::Mesh), (Tls::Mtls, Tls::Rustls)] {
                let callee = if own == tls { Protocol::Rest } else { Protocol::Grpc };
                let kind = match protocol {
                    Protocol::Events => ServiceSpec { tls: Tls::Mesh, ..reader(name, Broker::Nats) },
                    _ => ServiceSpec { protocol, tls: own, ..spec(name) },
                };
                let specs = [
                    ServiceSpec { store, calls: calls.clone(), ..kind },
                    ServiceSpec { protocol: callee, store, tls, ..spec(&called) },
                ];
                let root = workspace(&format!("named-{}-{store}-{own}", name.len()), &specs);
                cargo(root.path(), &["fmt", "--all", "--check"]);
                cargo(root.path(), &["metadata", "--locked", "--format-version=1"]);
            }
        }
    }
}

fn spec(name: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.parse().unwrap(),
        protocol: Protocol::Rest,
        port: 8080,
        admin_port: 9090,
        store: Store::Sqlite,
        discovery: Discovery::Kubernetes,
        auth: Auth::Jwt,
        tls: Tls::Mesh,
        public: false,
        calls: Vec::new(),
        broker: Broker::None,
        consumes: None,
    }
}

/// Those that services can be generated for.
const BROKERS: &[Broker] = &[Broker::Kafka, Broker::Nats, Broker::Rabbitmq];

/// A service that reads the events of `orders`.
fn reader(name: &str, broker: Broker) -> ServiceSpec {
    let consumes = Some("orders".parse().unwrap());
    ServiceSpec { protocol: Protocol::Events, port: 9090, auth: Auth::None, broker, consumes, ..spec(name) }
}

/// A workspace of these services.
fn workspace(name: &str, specs: &[ServiceSpec]) -> TempDir {
    written(&scaffold::workspace(name, specs))
}

fn written(tree: &FileTree) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, file) in tree.iter() {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.contents).unwrap();
    }
    root
}

/// One at a time, and each in the place of the one before: crates that both have are built once, and tested once, since they
/// are the same in all.
fn check(tree: &FileTree, spec: &ServiceSpec) {
    static TESTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut tested = TESTED.lock().unwrap_or_else(PoisonError::into_inner);
    let root = &place();
    put(tree, root);
    cargo(root, &["fmt", "--all", "--check"]);
    cargo(root, &["clippy", "--all-targets", "--locked", "--", "-D", "warnings"]);
    // `tests/servers/run` runs all tests of a service whose database is on a server; most of them need none.
    let without: &[&str] = match spec.protocol {
        Protocol::Rest => &["--lib", "--test", "resilience", "--test", "openapi"],
        Protocol::Grpc => &["--lib", "--test", "resilience"],
        Protocol::Events => &["--lib"],
    };
    let chosen = if spec.store.is_on_a_server() { without } else { &[] };
    let packages: Vec<_> = members(tree).into_iter().filter(|name| !tested.contains(name)).collect();
    let packages: Vec<_> = packages.iter().flat_map(|name| ["-p", name]).collect();
    cargo(root, &[&["test", "--locked"], &packages[..], chosen].concat());
    if chosen.is_empty() {
        tested.extend(members(tree).into_iter().filter(|name| name.starts_with("chassis")));
    }
}

/// Names of its packages.
fn members(tree: &FileTree) -> BTreeSet<String> {
    let manifests = tree.iter().filter(|(path, _)| path.components().count() == 3 && path.file_name() == Some("Cargo.toml"));
    manifests.filter_map(|(path, _)| Some(path.parent()?.file_name()?.to_owned())).collect()
}

/// Where workspaces are checked: no `rustfmt.toml` of ours is above it, and no other checkout's tests use it.
fn place() -> PathBuf {
    let mut name = DefaultHasher::new();
    target().hash(&mut name);
    std::env::temp_dir().join(format!("cargo-msvc-generated-{:x}", name.finish()))
}

/// Makes a directory hold these files and no others. What is there already is not written again: Cargo goes by its time.
fn put(tree: &FileTree, root: &Path) {
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            let planned = path.strip_prefix(root).unwrap().to_str().and_then(|path| tree.get(path));
            match entry.file_type().unwrap().is_dir() {
                true => open.push(path),
                false if planned.is_none() => fs::remove_file(path).unwrap(),
                false => {}
            }
        }
    }
    for (path, file) in tree.iter() {
        let path = root.join(path);
        if fs::read(&path).ok().as_ref() != Some(&file.contents) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.contents).unwrap();
        }
    }
    // Cargo takes any directory that a glob finds for a member.
    for member in ["crates", "services"].iter().flat_map(|parent| fs::read_dir(root.join(parent)).into_iter().flatten()) {
        let member = member.unwrap().path();
        if !member.join("Cargo.toml").exists() {
            fs::remove_dir_all(member).unwrap();
        }
    }
}

/// Runs cargo in a generated workspace, with the toolchain that runs this test.
fn cargo(root: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target().join("build"))
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "cargo {arguments:?} in {}:\n{out}\n{error}", root.display());
}

fn target() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    target.join("generated")
}

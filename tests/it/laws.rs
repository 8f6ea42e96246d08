//! The three laws that hold the commands together, over the whole option matrix: what `new` generates is found again by
//! discovery, and `lint` has nothing to say about it, with its manifests or without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cargo_metadata::camino::Utf8Path;
use cargo_msvc::deploy::{self, Target};
use cargo_msvc::file_tree::FileTree;
use cargo_msvc::lint::{self, Settings, Tier};
use cargo_msvc::service::{Auth, Broker, Discovery, Protocol, ServiceSpec, Store, Tls};
use cargo_msvc::workspace::{self, Workspace};
use cargo_msvc::{config, rules, scaffold};
use tempfile::TempDir;
use toml_edit::DocumentMut;

use crate::parallel;

/// All that `new` offers: each store meets each way of discovery, in a workspace with a second service beside it; the
/// other options come in turn, so that each of their values meets each of all others.
fn matrix() -> Vec<[ServiceSpec; 2]> {
    let mut specs = Vec::new();
    // How often each kind of TLS has had a second service that it calls: those take each kind in turn.
    let mut called = [0; Tls::ALL.len()];
    for &protocol in &[Protocol::Rest, Protocol::Grpc] {
        for (row, store) in [Store::Sqlite, Store::Postgres, Store::Mysql, Store::None].into_iter().enumerate() {
            for (column, &discovery) in Discovery::ALL.iter().enumerate() {
                let count = specs.len();
                let own_tls = (2 * row + column) % Tls::ALL.len();
                let calls = column != (row + 2) % 4;
                called[own_tls] += usize::from(calls);
                let auth = Auth::ALL[(row + column) % Auth::ALL.len()];
                let public = (row / 2 + column / 2) % 2 == 1;
                let name = format!("{protocol}-{store}-{discovery}-{auth}{}", if public { "-public" } else { "" });
                let port = 8000 + u16::try_from(count).unwrap();
                let spec = |name: &str, port| ServiceSpec {
                    name: name.parse().unwrap(),
                    protocol,
                    port,
                    admin_port: port + 1010,
                    store,
                    discovery,
                    auth,
                    tls: Tls::ALL[own_tls],
                    public,
                    calls: Vec::new(),
                    broker: Broker::None,
                    consumes: None,
                };
                let beside = spec("beside", port + 100);
                let tls = Tls::ALL[called[own_tls] % Tls::ALL.len()];
                let protocol = [Protocol::Rest, Protocol::Grpc][count / 2 % 2];
                let beside = ServiceSpec { protocol, store: Store::None, auth: Auth::None, tls, ..beside };
                let calls = if calls { vec![beside.name.clone()] } else { vec![] };
                specs.push([ServiceSpec { calls, ..spec(&name, port) }, beside]);
            }
        }
    }
    specs
}

/// A service that publishes its events and one that reads them: each broker with each store on both sides.
fn with_events() -> Vec<[ServiceSpec; 2]> {
    let stores = [Store::Sqlite, Store::Postgres, Store::Mysql];
    let [publisher, _] = matrix().swap_remove(0);
    let mut specs = Vec::new();
    for broker in [Broker::Kafka, Broker::Nats, Broker::Rabbitmq] {
        for (turn, store) in stores.into_iter().enumerate() {
            let protocol = [Protocol::Rest, Protocol::Grpc][turn % 2];
            let publisher =
                ServiceSpec { name: "orders".parse().unwrap(), protocol, store, broker, calls: vec![], ..publisher.clone() };
            for store in stores.into_iter().chain([Store::None]) {
                let reader = ServiceSpec {
                    name: "stock".parse().unwrap(),
                    protocol: Protocol::Events,
                    port: 9600,
                    admin_port: 9600,
                    store,
                    auth: Auth::None,
                    tls: Tls::Mesh,
                    public: false,
                    discovery: Discovery::Kubernetes,
                    consumes: Some(publisher.name.clone()),
                    ..publisher.clone()
                };
                specs.push([publisher.clone(), reader]);
            }
        }
    }
    specs
}

#[test]
fn each_value_of_an_option_meets_each_of_all_others() {
    let mut met = BTreeSet::new();
    for [ServiceSpec { store, discovery, auth, tls, public, calls, .. }, beside] in matrix() {
        let values =
            [format!("{store:?}"), format!("{discovery:?}"), format!("{auth:?}"), format!("{tls:?}"), public.to_string()];
        for (one, value) in values.iter().enumerate() {
            met.extend(values[..one].iter().enumerate().map(|(other, also)| (one, value.clone(), other, also.clone())));
        }
        if !calls.is_empty() {
            met.insert((5, format!("{tls:?}"), 5, format!("{:?}", beside.tls)));
        }
    }
    let [stores, ways, auths, tls, publics] = [4, Discovery::ALL.len(), Auth::ALL.len(), Tls::ALL.len(), 2];
    let pairs =
        stores * (ways + auths + tls + publics) + ways * (auths + tls + publics) + auths * (tls + publics) + tls * publics;
    assert_eq!(met.len(), pairs + tls * tls, "{met:?}");
}

#[test]
fn discovery_finds_what_was_generated() {
    parallel::map(&[matrix(), with_events()].concat(), |specs| {
        let root = generated(specs);
        assert_eq!(discovered(&workspace::load(root.path())), sorted(specs));
    });
}

/// Only what no code can say is stated; the rest is found in the code itself.
#[test]
fn discovery_needs_no_statement_for_what_the_code_says() {
    parallel::map(&matrix(), |specs| {
        let root = generated(specs);
        for spec in specs {
            let manifest = root.path().join(format!("services/{}/Cargo.toml", spec.name));
            let mut document: DocumentMut = fs::read_to_string(&manifest).unwrap().parse().unwrap();
            assert!(document["package"].as_table_mut().unwrap().remove("metadata").is_some(), "there was a statement");
            fs::write(&manifest, document.to_string()).unwrap();
        }
        // Whether the edge of the cluster leads to a service is nobody's code, and one that calls nobody and is listed nowhere
        // has none to find others with.
        let in_code = |spec: ServiceSpec| {
            let finds = !spec.calls.is_empty() || spec.discovery.is_a_registry();
            let discovery = if finds { spec.discovery } else { Discovery::Static };
            ServiceSpec { public: false, discovery, ..spec }
        };
        let expected: Vec<ServiceSpec> = sorted(specs).into_iter().map(in_code).collect();
        assert_eq!(discovered(&workspace::load(root.path())), expected);
    });
}

#[test]
fn lint_has_nothing_to_say_with_manifests_or_without() {
    parallel::map(&[matrix(), with_events()].concat(), |specs| {
        let root = generated(specs);
        assert_eq!(findings(root.path()), Vec::<String>::new(), "{}", specs[0].name);
        let manifests = manifests(root.path());
        write(&manifests, &root.path().join("deploy"));
        assert_eq!(findings(root.path()), Vec::<String>::new(), "{} with manifests", specs[0].name);
        let deployed = workspace::load(root.path());
        assert_eq!(discovered(&deployed), sorted(specs), "manifests change no fact");
        let containers: Vec<_> = deployed.services.iter().map(|service| service.documents.containers.len()).collect();
        assert!(containers.iter().all(|count| *count > 0), "{containers:?}: the manifests of each service were read");
    });
}

/// Options bring their own variables and secrets, and those of others bring none.
#[test]
fn manifests_name_what_the_options_need_and_nothing_else() {
    parallel::map(&matrix(), |specs| {
        let root = generated(specs);
        let [spec, _] = specs;
        let manifests = manifests(root.path());
        let all: String = manifests.iter().map(|(_, file)| String::from_utf8_lossy(&file.contents)).collect();
        let named = |text: &str| all.contains(text);
        let ServiceSpec { store, discovery, auth, name, .. } = spec;
        let secret = format!("{}__STORE__PASSWORD_FILE=/etc/secrets/store-password", name.env_prefix());
        assert_eq!(named(&secret), store.is_on_a_server(), "{name}");
        assert_eq!(named("StatefulSet"), *store == Store::Sqlite, "{name}");
        assert_eq!(named("__AUTH__KEY_FILE="), *auth == Auth::Jwt, "{name}");
        assert_eq!(named("__CONSUL__TOKEN_FILE="), *discovery == Discovery::Consul, "{name}");
    });
}

fn generated(specs: &[ServiceSpec; 2]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write(&scaffold::workspace("shop", specs), root.path());
    root
}

fn manifests(root: &Path) -> FileTree {
    let known: Vec<_> = lint::own::ALL.iter().chain(rules::ALL).copied().collect();
    let settings = deploy::config::read(&config::load(root, &known).unwrap()).unwrap();
    let target = Target { directory: "shop".into(), ..Target::default() };
    let workspace = workspace::load(root);
    let mut manifests = deploy::plan(&workspace, &settings, &deploy::edges(&workspace), &target);
    manifests.managed.extend_at(Utf8Path::new(""), manifests.yours);
    manifests.managed
}

fn discovered(workspace: &Workspace) -> Vec<ServiceSpec> {
    workspace.services.iter().map(|service| service.spec().expect("every fact is found")).collect()
}

/// At the strictest level.
fn findings(root: &Path) -> Vec<String> {
    let settings = Settings { tier: Tier::Auditor, ..Settings::default() };
    let report = lint::run(&workspace::load(root), rules::ALL, &settings);
    assert_eq!(report.failures, [], "no rule may fail");
    report.findings.iter().map(|finding| format!("{}: {}", finding.rule.id, finding.diagnostic.message)).collect()
}

fn sorted(specs: &[ServiceSpec]) -> Vec<ServiceSpec> {
    let mut specs = specs.to_vec();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    specs
}

fn write(tree: &FileTree, root: &Path) {
    for (path, file) in tree.iter() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.contents).unwrap();
    }
}

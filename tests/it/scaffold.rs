//! What `new` would write, for every combination of its options, without building it (`tests/generated` does).

use std::collections::BTreeSet;

use cargo_msvc::file_tree::FileTree;
use cargo_msvc::scaffold::{self, Callee, crates, lock_file, lock_with_service, service_files};
use cargo_msvc::service::{Auth, Broker, Discovery, Protocol, ServiceSpec, Store, Tls};
use cargo_msvc::workspace::yaml;

const EXAMPLE_TOKENS: &[&str] = &["example-service", "example_service", "EXAMPLE_SERVICE", "example-workspace"];

fn spec(name: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.parse().unwrap(),
        protocol: Protocol::Rest,
        port: 8123,
        admin_port: 9133,
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

/// Combinations of the options; and names short, long and close to what Rust, SQL or the template itself say.
fn specs() -> Vec<ServiceSpec> {
    let long = "n".repeat(63);
    let names = ["a", "type-x", "order-items", "service", "items", "select", &long];
    let mut specs: Vec<_> = names.into_iter().map(spec).collect();
    let called = || vec!["price-lists".parse().unwrap(), "stock".parse().unwrap()];
    for (protocol, store) in [Protocol::Rest, Protocol::Grpc]
        .into_iter()
        .flat_map(|it| [Store::Sqlite, Store::Postgres, Store::Mysql, Store::None].map(|store| (it, store)))
    {
        for &auth in Auth::ALL {
            for &discovery in Discovery::ALL {
                for public in [false, true] {
                    // In turn with the others.
                    let tls = Tls::ALL[specs.len() % Tls::ALL.len()];
                    let calls = if public { vec![] } else { called() };
                    specs.push(ServiceSpec { protocol, store, auth, discovery, tls, public, calls, ..spec("orders") });
                }
            }
        }
    }
    let brokers = [Broker::Nats, Broker::Rabbitmq, Broker::Kafka];
    let registries = [Discovery::Consul, Discovery::Eureka, Discovery::Kubernetes];
    for store in [Store::Sqlite, Store::Postgres, Store::Mysql, Store::None] {
        for calls in [vec![], called()] {
            let broker = brokers[specs.len() % brokers.len()];
            let discovery = if calls.is_empty() { Discovery::Kubernetes } else { registries[specs.len() % registries.len()] };
            let consumes = Some("stock".parse().unwrap());
            let (protocol, auth, port) = (Protocol::Events, Auth::None, 9090);
            specs.push(ServiceSpec { protocol, store, auth, discovery, port, calls, broker, consumes, ..spec("orders") });
        }
    }
    specs
}

fn everything(spec: &ServiceSpec) -> FileTree {
    let mut tree = scaffold::unlocked_workspace("shop", std::slice::from_ref(spec));
    let called = "price-lists".parse().unwrap();
    let called = Callee { protocol: Protocol::Grpc, stateless: spec.public, ..Callee::assumed(&called) };
    tree.extend_at("services/it".into(), service_files(spec, &[called]));
    tree
}

fn text(tree: &FileTree, path: &str) -> String {
    let file = tree.get(path).unwrap_or_else(|| panic!("{path} is generated"));
    String::from_utf8(file.contents.clone()).unwrap()
}

#[test]
fn every_combination_renders_to_valid_files_with_nothing_of_the_template_left() {
    for spec in specs() {
        let tree = everything(&spec);
        assert_eq!(tree, everything(&spec), "rendering {spec:?} twice differs");
        for (path, file) in tree.iter() {
            let context = format!("{path} of {spec:?}");
            let text = std::str::from_utf8(&file.contents).unwrap();
            for token in EXAMPLE_TOKENS.iter().chain(&["«", "»", "\u{1}", ".tera"]) {
                assert!(!text.contains(token), "`{token}` is left in {context}");
            }
            assert!(!text.lines().any(is_tag), "a tag is left in {context}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{context} ends in one line feed");
            assert!(!text.contains("\n\n\n"), "two blank lines in {context}");
            assert_parses(path.as_str(), text, &context);
        }
    }
}

#[test]
fn unrendered_templates_parse_in_their_own_language() {
    for entry in walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let path = entry.path().to_str().unwrap();
            let mut text = std::fs::read_to_string(path).unwrap();
            if path.ends_with(".json") {
                // It has no comments for tags to stand in.
                text = text.split_inclusive('\n').filter(|line| !is_tag(line)).collect();
            }
            assert_parses(path.trim_end_matches(".tera"), &text, path);
        }
    }
}

#[test]
fn a_spec_gets_the_files_of_its_options_and_no_others() {
    let files = |store| {
        let tree = service_files(&ServiceSpec { store, ..spec("orders") }, &[]);
        tree.iter().map(|(path, _)| path.to_string()).collect::<BTreeSet<_>>()
    };
    let (with, without) = (files(Store::Sqlite), files(Store::None));
    let only_with: Vec<_> = with.difference(&without).collect();
    assert_eq!(only_with, ["migrations/0001_items.sql", "src/error.rs", "src/store.rs"]);
    assert_eq!(without.difference(&with).count(), 0);
    let grpc = |store| {
        let tree = service_files(&ServiceSpec { store, protocol: Protocol::Grpc, ..spec("orders") }, &[]);
        tree.iter().map(|(path, _)| path.to_string()).collect::<BTreeSet<_>>()
    };
    let only_grpc: Vec<_> = grpc(Store::Sqlite).difference(&with).cloned().collect();
    assert_eq!(only_grpc, ["build.rs", "proto/orders/v1/items.proto", "src/proto.rs"]);
    let only_rest: Vec<_> = with.difference(&grpc(Store::Sqlite)).cloned().collect();
    assert_eq!(only_rest, ["openapi.json", "src/openapi.rs", "tests/openapi.rs"]);
    let server = files(Store::Postgres);
    let only_server: Vec<_> = server.difference(&with).collect();
    assert_eq!(only_server, ["tests/database/mod.rs", "tests/store.rs"]);
    assert_eq!(with.difference(&server).count(), 0);
    let calls = vec!["price-lists".parse().unwrap(), "stock".parse().unwrap()];
    let stock = Callee { stateless: true, ..Callee::assumed(&calls[1]) };
    let calling = service_files(&ServiceSpec { calls, ..spec("orders") }, &[stock]);
    let calling: BTreeSet<_> = calling.iter().map(|(path, _)| path.to_string()).collect();
    let only_calling: Vec<_> = calling.difference(&with).collect();
    assert_eq!(only_calling, ["src/clients.rs", "src/clients/price_lists.rs", "src/clients/stock.rs", "tests/calls.rs"]);
    let calls = vec!["stock".parse().unwrap()];
    let stock = Callee { protocol: Protocol::Grpc, ..Callee::assumed(&calls[0]) };
    let calling = service_files(&ServiceSpec { calls, ..spec("orders") }, &[stock]);
    let calling: BTreeSet<_> = calling.iter().map(|(path, _)| path.to_string()).collect();
    let only_calling: Vec<_> = calling.difference(&with).collect();
    let client = ["src/clients.rs", "src/clients/stock.rs", "src/proto.rs", "tests/calls_grpc.rs"];
    assert_eq!(only_calling, [&["build.rs", "proto/stock/v1/items.proto"][..], &client].concat().iter().collect::<Vec<_>>());
}

#[test]
fn the_manifest_and_the_configuration_state_the_spec() {
    for spec in specs() {
        let tree = service_files(&spec, &[]);
        let manifest: toml_edit::DocumentMut = text(&tree, "Cargo.toml").parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(spec.name.as_str()));
        let stated = &manifest["package"]["metadata"]["msvc"];
        assert_eq!(stated["protocol"].as_str(), Some(spec.protocol.as_str()));
        assert_eq!(stated["store"].as_str(), Some(spec.store.as_str()));
        assert_eq!(stated["discovery"].as_str(), Some(spec.discovery.as_str()));
        assert_eq!(stated["auth"].as_str(), Some(spec.auth.as_str()));
        assert_eq!(stated["tls"].as_str(), Some(spec.tls.as_str()));
        assert_eq!(stated.get("public").and_then(toml_edit::Item::as_bool).unwrap_or(false), spec.public);
        let config: toml_edit::DocumentMut = text(&tree, "config.toml").parse().unwrap();
        let is_called = spec.protocol != Protocol::Events;
        let port = config.get("server").map(|server| server["port"].as_integer().unwrap());
        assert_eq!(port, is_called.then_some(spec.port.into()));
        // Who is not called is not listed.
        assert_eq!(config.contains_key("advertised"), is_called && spec.discovery.is_a_registry());
        assert_eq!(config["admin"]["port"].as_integer(), Some(spec.admin_port.into()));
        let kind = config.get("discovery").map(|discovery| discovery["kind"].as_str().unwrap());
        // Who calls nobody finds nobody.
        assert_eq!(kind, (!spec.calls.is_empty()).then(|| spec.discovery.as_str()));
        assert_eq!(config.contains_key("store"), spec.store != Store::None);
        assert_eq!(config.get("store").is_some_and(|store| store.get("host").is_some()), spec.store.is_on_a_server());
        assert_eq!(config.contains_key("auth"), spec.auth == Auth::Jwt);
        let certificates = config.get("server_tls");
        assert_eq!(certificates.is_some(), spec.tls != Tls::Mesh);
        assert_eq!(certificates.is_some_and(|tls| tls.get("client_ca_file").is_some()), spec.tls == Tls::Mtls);
    }
}

/// Whatever the second one asks for that the first did not.
#[test]
fn a_second_service_extends_the_lock_as_if_both_had_been_there_from_the_start() {
    let plain = ServiceSpec { store: Store::None, auth: Auth::None, ..spec("orders") };
    let calling = vec!["orders".parse().unwrap()];
    let kinds = [
        plain.clone(),
        spec("orders"),
        ServiceSpec { protocol: Protocol::Grpc, store: Store::Postgres, ..plain.clone() },
        ServiceSpec { discovery: Discovery::Consul, store: Store::Mysql, tls: Tls::Mtls, ..plain.clone() },
        ServiceSpec { discovery: Discovery::Eureka, calls: calling, ..plain },
    ];
    for (first, second) in kinds.iter().flat_map(|first| kinds.iter().map(move |second| (first, second))) {
        let second = ServiceSpec { name: "stock".parse().unwrap(), ..second.clone() };
        let both = lock_file(&[first, &second]);
        let extended = lock_with_service(&lock_file(&[first]), &second, &[Callee::of(first)]);
        assert_eq!(extended.as_deref(), Some(both.as_str()), "{first:?} and {second:?}");
        let lock: toml_edit::DocumentMut = both.parse().unwrap();
        let packages = lock["package"].as_array_of_tables().unwrap().iter();
        let names: Vec<_> = packages.map(|package| package["name"].as_str().unwrap()).collect();
        assert!(names.is_sorted(), "Cargo keeps packages in name order");
        for name in ["orders", "stock", "chassis"] {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name}");
        }
    }
}

/// What Cargo has moved on stays, where it can stand for what a new service asks for.
#[test]
fn a_lock_that_was_updated_keeps_its_versions() {
    let plain = ServiceSpec { store: Store::None, auth: Auth::None, ..spec("orders") };
    let updated = lock_file(&[&plain]).replace("name = \"tokio\"\nversion = \"1.", "name = \"tokio\"\nversion = \"1.9");
    let extended = lock_with_service(&updated, &ServiceSpec { store: Store::Sqlite, ..spec("stock") }, &[]).unwrap();
    assert!(extended.contains("name = \"tokio\"\nversion = \"1.9"));
    assert_eq!(extended.matches("name = \"tokio\"\n").count(), 1);
    // How an updated package's features changed nobody knows but Cargo.
    let updated = lock_file(&[&plain]).replace("name = \"tracing\"\nversion = \"0.1.", "name = \"tracing\"\nversion = \"0.1.9");
    assert_eq!(lock_with_service(&updated, &ServiceSpec { store: Store::Sqlite, ..spec("stock") }, &[]), None);
}

/// A workspace gets the crates that its service asks for, with what these need, and names no package that nobody uses.
#[test]
fn a_workspace_holds_only_the_crates_that_its_service_is_built_from() {
    for spec in specs() {
        let tree = scaffold::unlocked_workspace("shop", std::slice::from_ref(&spec));
        let own = text(&tree, &format!("services/{}/Cargo.toml", spec.name));
        let there = crates::all().into_iter().filter(|name| tree.get(format!("crates/{name}/Cargo.toml")).is_some());
        let there: BTreeSet<_> = there.collect();
        assert_eq!(there, crates::needed_by([own.as_str()]), "{spec:?}");
        for store in ["mysql", "postgres", "sqlite"] {
            assert_eq!(there.contains(format!("chassis-{store}").as_str()), store == spec.store.as_str(), "{spec:?}");
        }
        let members = there.iter().map(|name| text(&tree, &format!("crates/{name}/Cargo.toml"))).chain([own]);
        let inherited: BTreeSet<_> = members.flat_map(|manifest| crates::dependencies(&manifest)).collect();
        let root: toml_edit::DocumentMut = text(&tree, "Cargo.toml").parse().unwrap();
        let offered = root["workspace"]["dependencies"].as_table().unwrap().iter();
        assert_eq!(offered.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>(), inherited, "{spec:?}");
    }
}

#[test]
fn a_lock_that_knows_too_little_is_left_to_cargo() {
    for lock in ["", "version = 4\n", "no lock", "version = 4\n\n[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\n"] {
        assert_eq!(lock_with_service(lock, &spec("orders"), &[]), None, "{lock}");
    }
}

fn is_tag(line: &str) -> bool {
    ["//%", "#%", "--%", "<!--%"].iter().any(|mark| line.trim_start().starts_with(mark))
}

fn assert_parses(path: &str, text: &str, context: &str) {
    let name = path.rsplit('/').next().unwrap();
    match name.rsplit_once('.').map_or(name, |(_, extension)| extension) {
        "rs" => drop(syn::parse_file(text).unwrap_or_else(|error| panic!("{context}: {error}"))),
        "toml" | "lock" => drop(text.parse::<toml_edit::DocumentMut>().unwrap_or_else(|error| panic!("{context}: {error}"))),
        "yaml" | "yml" => {
            let documents = yaml::parse(text).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert!(!documents.is_empty(), "{context}");
        }
        "json" | "json5" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{context}: {e}"))),
        "Dockerfile" => drop(parse_dockerfile::parse(text).unwrap_or_else(|error| panic!("{context}: {error}"))),
        // Built by `tests/generated`.
        "proto" => {}
        "md" | "sql" | "sh" | "env" | "gitignore" | "dockerignore" => {}
        other => panic!("{context}: say how `{other}` files are checked"),
    }
}

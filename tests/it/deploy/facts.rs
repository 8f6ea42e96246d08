//! Facts of services, as discovery would find them.

use std::time::Duration;

use cargo_msvc::deploy::Edge;
use cargo_msvc::service::{Protocol, Store, Tls};
use cargo_msvc::workspace::manifest::{Dependency, DependencyKind, Package};
use cargo_msvc::workspace::service::{EnvVar, Found};
use cargo_msvc::workspace::{Location, Service, Span, Workspace};

use super::Case;

/// Package 0 has tonic-health, package 1 has not; file 0 is the manifest of both.
pub fn workspace() -> Workspace {
    let mut workspace = Workspace::default();
    let manifest = workspace.sources.add("services/orders/Cargo.toml".into());
    let package = |dependencies| Package {
        panic_abort: None,
        name: "orders".into(),
        manifest,
        directory: "services/orders".into(),
        workspace: "".into(),
        version: None,
        edition: "2024".into(),
        rust_version: None,
        targets: Vec::new(),
        dependencies,
        metadata: None,
        name_span: Span::default(),
    };
    let health = Dependency {
        alias: "tonic_health".into(),
        package: "tonic-health".into(),
        kind: DependencyKind::Normal,
        local: None,
        published: true,
        version: None,
        features: Vec::new(),
        feature_places: Vec::new(),
        default_features: true,
        optional: false,
        target: None,
        span: Span::default(),
    };
    workspace.packages = vec![package(vec![health]), package(Vec::new())];
    workspace
}

pub fn found<T>(value: T) -> Option<Found<T>> {
    Some(Found { value, at: Location::default() })
}

/// A generated REST service with everything known.
pub fn service(name: &str) -> Service {
    let prefix = name.replace('-', "_").to_uppercase();
    Service {
        name: name.into(),
        package: 0,
        binary: name.into(),
        documents: Default::default(),
        directory: format!("services/{name}").into(),
        evidence: Vec::new(),
        protocol: found(Protocol::Rest),
        port: found(8080),
        admin_port: found(9090),
        store: found(Store::None),
        discovery: None,
        auth: None,
        tls: None,
        public: None,
        calls: Vec::new(),
        broker: None,
        consumes: Vec::new(),
        liveness: found("/livez".into()),
        readiness: found("/readyz".into()),
        startup: found("/startupz".into()),
        metrics: found("/metrics".into()),
        drain: found(Duration::from_secs(20)),
        environment: [
            ("ADMIN__HOST", Some("0.0.0.0"), false),
            ("ADMIN__PORT", Some("9090"), false),
            ("LOG__LEVEL", Some("info"), false),
            ("SERVER__HOST", Some("0.0.0.0"), false),
            ("SERVER__PORT", Some("8080"), false),
        ]
        .map(|(key, default, secret)| variable(&format!("{prefix}__{key}"), default, secret))
        .to_vec(),
    }
}

pub fn variable(name: &str, default: Option<&str>, secret: bool) -> EnvVar {
    EnvVar { name: name.into(), default: default.map(str::to_owned), secret, at: Location::default() }
}

/// [`service`] with a store.
pub fn with_store(store: Store) -> Service {
    let mut service = service("orders");
    service.store = found(store);
    match store {
        Store::Sqlite => service.environment.push(variable("ORDERS__STORE__PATH", Some("orders.db"), false)),
        Store::None => {}
        _ => service.environment.push(variable("DATABASE_URL", None, true)),
    }
    service
}

/// [`service`], public and with a certificate of its own. What it could be told besides has no value.
pub fn with_certificate(tls: Tls) -> Service {
    let mut service = service("orders");
    (service.tls, service.public) = (found(tls), found(true));
    let authority = if tls == Tls::Mtls { "certificates/orders/ca.crt" } else { "" };
    for (key, default) in [
        ("SERVER_TLS__CERTIFICATE_FILE", "certificates/orders/tls.crt"),
        ("SERVER_TLS__CLIENT_CA_FILE", authority),
        ("SERVER_TLS__KEY_FILE", "certificates/orders/tls.key"),
    ] {
        service.environment.push(variable(&format!("ORDERS__{key}"), Some(default), false));
    }
    service
}

/// Every option that changes a manifest, in every combination that is not obviously independent.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let configs = [
        ("plain", ""),
        ("openshift", "platform = 'openshift'\nservices.orders = { cpu-limit = '1', cpu = '250m', memory = '1Gi' }"),
        (
            "edge",
            "namespace = 'retail'\nregistry = 'ghcr.io/acme'\ngateway = 'infra/edge'\n\
             services.orders = { host = 'orders.example.com', replicas = 5, max-replicas = 20 }\n\
             env.prod.services.orders.env = { ORDERS__LOG__LEVEL = 'warn' }\n\
             env.dev = { namespace = 'retail-test', services.orders = { replicas = 2, host = 'orders.test' } }",
        ),
    ];
    for protocol in [Protocol::Rest, Protocol::Grpc, Protocol::Events] {
        for store in [Store::Sqlite, Store::None, Store::Postgres] {
            for (config_name, config) in configs {
                let mut orders = with_store(store);
                orders.protocol = found(protocol);
                orders.public = found(config_name == "edge");
                orders.environment.push(variable("ORDERS__AUTH__KEY", None, true));
                orders.environment.push(variable("ORDERS__AUTH__KEY_FILE", None, true));
                let edges = vec![
                    Edge { from: "orders".into(), to: "inventory".into(), at: "services/orders/src/clients.rs:12".into() },
                    Edge { from: "inventory".into(), to: "orders".into(), at: "services/inventory/src/main.rs:3".into() },
                ];
                let name = format!("{protocol} {store} {config_name}");
                cases.push(Case { name, services: vec![orders, service("inventory")], edges, config });
            }
        }
    }
    for tls in [Tls::Rustls, Tls::Mtls] {
        let orders = with_certificate(tls);
        let config = "gateway = 'infra/edge'\nservices.orders.host = 'orders.example.com'";
        let services = vec![orders, service("inventory")];
        cases.push(Case { name: format!("rest none {tls}"), services, edges: vec![], config });
    }
    let mut bare = service("legacy");
    bare.package = 1;
    bare.environment.clear();
    (bare.admin_port, bare.startup, bare.metrics, bare.drain) = (None, None, None, None);
    cases.push(Case { name: "one port".into(), services: vec![bare.clone()], edges: vec![], config: "" });
    (bare.protocol, bare.port, bare.liveness, bare.readiness) = (None, None, None, None);
    cases.push(Case { name: "nothing known".into(), services: vec![bare], edges: vec![], config: "" });
    cases
}

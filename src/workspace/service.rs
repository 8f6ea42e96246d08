//! Which binaries are services, and what is known of each.

use std::time::Duration;

use cargo_metadata::camino::Utf8PathBuf;

use super::Location;
use super::documents::Documents;
use crate::service::{Auth, Broker, Discovery, Protocol, ServiceName, ServiceSpec, Store, Tls};

/// A value and the text that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub value: T,
    pub at: Location,
}

/// A service as its workspace shows it. Fields that nothing states are `None`: nothing is guessed.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// `name` in `[package.metadata.msvc]`, else the package's name, or the binary's where a package has several services.
    pub name: String,
    /// Index into [`super::Workspace::packages`].
    pub package: usize,
    /// The binary target.
    pub binary: String,
    /// The package's directory, relative to the root.
    pub directory: Utf8PathBuf,
    /// Why this is a service, strongest first: "binds a listener", "consumes a broker", "declared".
    pub evidence: Vec<Found<String>>,
    pub protocol: Option<Found<Protocol>>,
    pub port: Option<Found<u16>>,
    pub admin_port: Option<Found<u16>>,
    pub store: Option<Found<Store>>,
    pub discovery: Option<Found<Discovery>>,
    pub auth: Option<Found<Auth>>,
    pub tls: Option<Found<Tls>>,
    pub public: Option<Found<bool>>,
    /// Services that it calls, in name order, each where it is first called.
    pub calls: Vec<Found<String>>,
    pub broker: Option<Found<Broker>>,
    /// Services whose events it reads, in name order.
    pub consumes: Vec<Found<String>>,
    pub liveness: Option<Found<String>>,
    pub readiness: Option<Found<String>>,
    pub startup: Option<Found<String>>,
    pub metrics: Option<Found<String>>,
    /// How long it finishes requests after SIGTERM.
    pub drain: Option<Found<Duration>>,
    /// Environment variables it reads, in name order.
    pub environment: Vec<EnvVar>,
    /// What builds, runs and configures it.
    pub documents: Documents,
}

/// An environment variable that a service reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvVar {
    pub name: String,
    /// What it is when unset, empty where it may be missing; `None` when the service does not start without it.
    pub default: Option<String>,
    /// Never to be written into a ConfigMap.
    pub secret: bool,
    pub at: Location,
}

/// A fact that [`Service::spec`] needs and nothing states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// "traffic port".
    pub what: &'static str,
    /// The key under `[package.metadata.msvc]` that states it: "port".
    pub key: &'static str,
}

impl Service {
    /// The spec that these facts amount to, or what is missing for one.
    pub fn spec(&self) -> Result<ServiceSpec, Vec<Missing>> {
        fn value<T: Clone>(found: &Option<Found<T>>) -> Option<T> {
            found.as_ref().map(|found| found.value.clone())
        }
        // `order_items` is a common package name, and no DNS label.
        let name = self.name.parse().or_else(|_| self.name.replace('_', "-").parse::<ServiceName>()).ok();
        let protocol = value(&self.protocol);
        let admin_port = value(&self.admin_port);
        let only_works = protocol == Some(Protocol::Events);
        let port = value(&self.port).or(admin_port.filter(|_| only_works));
        if let (Some(name), Some(protocol), Some(port)) = (&name, protocol, port) {
            return Ok(ServiceSpec {
                name: name.clone(),
                protocol,
                port,
                admin_port: admin_port.unwrap_or(port),
                store: value(&self.store).unwrap_or(Store::None),
                discovery: value(&self.discovery).unwrap_or(Discovery::Static),
                auth: value(&self.auth).unwrap_or(Auth::None),
                tls: value(&self.tls).unwrap_or(Tls::Mesh),
                public: value(&self.public).unwrap_or(false),
                calls: self.calls.iter().filter_map(|call| call.value.parse().ok()).collect(),
                broker: value(&self.broker).unwrap_or(Broker::None),
                consumes: self.consumes.first().and_then(|source| source.value.parse().ok()),
            });
        }
        let needed = [
            (name.is_none(), Missing { what: "a name that is a DNS label", key: "name" }),
            (protocol.is_none(), Missing { what: "protocol", key: "protocol" }),
            (port.is_none(), Missing { what: "traffic port", key: "port" }),
        ];
        Err(needed.into_iter().filter_map(|(missing, what)| missing.then_some(what)).collect())
    }
}

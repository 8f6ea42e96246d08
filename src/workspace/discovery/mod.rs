//! Which binaries are services, decided once, from evidence; and what code, configuration and people say of each.
//!
//! A binary is a service when what it reaches from `main` serves or consumes a broker. What people state in
//! `[package.metadata.msvc]` wins over all that is found.

mod address;
mod calls;
mod environment;
mod knobs;
mod probes;
mod servers;
mod statement;
mod stores;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use cargo_metadata::camino::Utf8Path;
use rayon::prelude::*;

pub use environment::is_secret;

use super::documents::{Documents, Linker};
use super::manifest::{Package, Target, TargetKind};
use super::names::{CrateId, FunctionRef};
use super::query::Node;
use super::reach::Reach;
use super::service::{EnvVar, Found, Service};
use super::{Location, Problem, Workspace};
use crate::service::{Auth, Discovery, Tls};
use environment::Helpers;
use knobs::Knobs;
use servers::{Doubt, Sign, What};
use statement::{Declared, Statement};

/// Where Rocket listens when nothing says otherwise.
const ROCKET_PORT: u16 = 8000;

/// Where a service lists itself that calls nobody, by the key that says where the registry is.
const REGISTRIES: &[(&str, Discovery)] = &[("consul.agent", Discovery::Consul), ("eureka.servers", Discovery::Eureka)];

/// What discovery looks up again and again.
struct Context<'w> {
    workspace: &'w Workspace,
    /// See [`servers::starts`].
    starts: HashSet<FunctionRef>,
    helpers: Helpers,
    /// `include_str!` of all code that ships.
    included: Vec<Node<'w>>,
    /// `config::Environment::with_prefix` likewise.
    prefixed: Vec<Node<'w>>,
}

/// The services of a workspace whose other facts are complete, in name order, and what is wrong with statements about them.
pub fn discover(workspace: &Workspace) -> (Vec<Service>, Vec<Problem>) {
    let context = Context {
        workspace,
        starts: servers::starts(workspace),
        helpers: Helpers::find(workspace),
        included: workspace.named("include_str").collect(),
        prefixed: workspace.calls_to("config::Environment::with_prefix").collect(),
    };
    let crates: Vec<CrateId> = (0..workspace.names.crates.len()).collect();
    let mut candidates: Vec<Candidate> =
        crates.into_par_iter().with_max_len(1).filter_map(|krate| candidate(&context, krate)).collect();
    name(workspace, &mut candidates);
    let linker = Linker::new(workspace, candidates.iter().map(|candidate| &candidate.service));
    let links: Vec<Documents> = candidates.par_iter().map(|candidate| linker.documents(&candidate.service)).collect();
    let mut problems = Vec::new();
    let mut services = Vec::new();
    for (candidate, documents) in candidates.into_iter().zip(links) {
        let Candidate { mut service, doubt } = candidate;
        if doubt == Doubt::Client && !documents.is_run() {
            continue;
        }
        service.documents = documents;
        service.port = service.port.or_else(|| exposed(workspace, &service.documents));
        problems.extend(Statement::of(&workspace.packages[service.package]).apply(&mut service));
        if service.admin_port.as_ref().map(|found| found.value) == service.port.as_ref().map(|found| found.value) {
            service.admin_port = None;
        }
        services.push(service);
    }
    services.sort_by(|a, b| (&a.name, &a.directory, &a.binary).cmp(&(&b.name, &b.directory, &b.binary)));
    problems.dedup();
    (services, problems)
}

struct Candidate {
    service: Service,
    doubt: Doubt,
}

fn candidate(context: &Context<'_>, krate: CrateId) -> Option<Candidate> {
    let workspace = context.workspace;
    let compiled = &workspace.names.crates[krate];
    if compiled.kind != TargetKind::Bin {
        return None;
    }
    let package = &workspace.packages[compiled.package];
    let target = &package.targets[compiled.target];
    let statement = Statement::of(package);
    let declared = statement.declared();
    if declared == Declared::NoService {
        return None;
    }
    let reached = &workspace.reach[&krate];
    let mut signs: Vec<Sign> =
        reached.functions().iter().flat_map(|function| servers::signs(workspace, *function, &context.starts)).collect();
    // A listener of our own protocol says little beside a framework.
    if signs.iter().any(|sign| sign.what != What::Tcp) {
        signs.retain(|sign| sign.what != What::Tcp);
    }
    let is_declared = declared == Declared::Service && is_main_binary(package, target);
    let doubt = if declared == Declared::Service { Doubt::None } else { servers::doubt(package, &target.name) };
    if (signs.is_empty() && !is_declared) || doubt == Doubt::Tool {
        return None;
    }
    let service = read(context, compiled.package, target, reached, &signs, is_declared.then(|| statement.location()));
    Some(Candidate { service, doubt })
}

/// The binary that a statement about a package speaks of: its only one, or the one of its name.
fn is_main_binary(package: &Package, target: &Target) -> bool {
    package.binaries().count() == 1 || target.name == package.name
}

fn read(
    context: &Context<'_>,
    index: usize,
    target: &Target,
    reached: &Reach,
    signs: &[Sign],
    declared: Option<Location>,
) -> Service {
    let workspace = context.workspace;
    let package = &workspace.packages[index];
    let knobs = Knobs::of(context, package, reached);
    let probes = probes::probes(workspace, reached);
    let is_rocket = signs.iter().any(|sign| sign.text.contains("rocket"));
    let mut environment: BTreeMap<String, EnvVar> = environment::variables(workspace, reached, &context.helpers);
    for variable in knobs.variables(context, package, reached) {
        environment.entry(variable.name.clone()).or_insert(variable);
    }
    let mut evidence: Vec<Found<String>> = Vec::new();
    for sign in signs {
        if !evidence.iter().any(|found| found.value == sign.text) {
            evidence.push(Found { value: sign.text.clone(), at: sign.at });
        }
    }
    evidence.extend(declared.map(|at| Found { value: "declared".to_owned(), at }));
    let number = |keys: &str| {
        let knob = knobs.ending_in(keys)?;
        Some(Found { value: address::port_of(&knob.value)?, at: knob.at })
    };
    let stated_port = || ["server.port", "http.port", "application.port", "app.port"].into_iter().find_map(number);
    let embedded_port = knobs.embedded.and_then(|_| stated_port());
    let rocket_port = || {
        let sign = signs.iter().find(|_| is_rocket)?;
        let stated = ["default.port", "release.port", "global.port"].into_iter().find_map(number);
        Some(stated.unwrap_or(Found { value: ROCKET_PORT, at: sign.at }))
    };
    if let Some(port) = rocket_port() {
        let name = "ROCKET_PORT".to_owned();
        let variable = EnvVar { name: name.clone(), default: Some(port.value.to_string()), secret: false, at: port.at };
        environment.entry(name).or_insert(variable);
    }
    let variable_port = || {
        let named = environment.values().filter(|variable| is_port_variable(&variable.name));
        let ports =
            named.filter_map(|variable| Some(Found { value: address::port_of(variable.default.as_ref()?)?, at: variable.at }));
        ports.min_by_key(|found| found.at)
    };
    let port = embedded_port
        .or_else(|| address::traffic_port(workspace, reached, &context.helpers, &knobs))
        .or_else(stated_port)
        .or_else(rocket_port)
        .or_else(variable_port);
    let parsed =
        |key: &str| knobs.ending_in(key).and_then(|knob| Some(Found { value: knob.value.parse::<u64>().ok()?, at: knob.at }));
    let drain = parsed("server.drain_ms")
        .or_else(|| parsed("consumer.drain_ms"))
        .map(|found| Found { value: Duration::from_millis(found.value), at: found.at });
    let discovery = knobs
        .get("discovery.kind")
        .and_then(|knob| Some(Found { value: knob.value.parse::<Discovery>().ok()?, at: knob.at }))
        .or_else(|| REGISTRIES.iter().find_map(|(key, value)| Some(Found { value: *value, at: knobs.get(key)?.at })));
    Service {
        name: package.name.clone(),
        package: index,
        binary: target.name.clone(),
        directory: package.directory.clone(),
        evidence,
        protocol: servers::protocol(signs),
        port,
        admin_port: number("admin.port"),
        store: stores::store(workspace, index, reached),
        discovery,
        auth: verifies_tokens(workspace, reached),
        tls: tls(&knobs),
        public: None,
        calls: calls::calls(workspace, reached),
        broker: None,
        consumes: Vec::new(),
        liveness: probes.liveness,
        readiness: probes.readiness,
        startup: probes.startup,
        metrics: probes.metrics,
        drain,
        environment: environment.into_values().collect(),
        documents: Documents::default(),
    }
}

/// `PORT`, `HTTP_PORT`, `APP_PORT`: no port of something else, such as `DB_PORT`.
fn is_port_variable(name: &str) -> bool {
    matches!(name, "PORT" | "HTTP_PORT" | "APP_PORT" | "SERVER_PORT" | "SERVICE_PORT" | "API_PORT" | "LISTEN_PORT" | "GRPC_PORT")
        || matches!(name, "ADDR" | "BIND_ADDR" | "BIND_ADDRESS" | "LISTEN_ADDR" | "LISTEN_ADDRESS" | "SERVER_ADDR" | "HTTP_ADDR")
}

/// A reached call that checks a signed token.
fn verifies_tokens(workspace: &Workspace, reached: &Reach) -> Option<Found<Auth>> {
    let mut calls = workspace.calls_to("jsonwebtoken::decode").filter(|node| reached.runs(*node));
    calls.next().map(|node| Found { value: Auth::Jwt, at: node.name_at() })
}

/// The certificates that its configuration names.
fn tls(knobs: &Knobs) -> Option<Found<Tls>> {
    let named = |key: &str, value: Tls| knobs.get(key).map(|knob| Found { value, at: knob.at });
    named("server_tls.client_ca_file", Tls::Mtls).or_else(|| named("server_tls.certificate_file", Tls::Rustls))
}

/// Names services by their package, or by their binary where a package has several.
fn name(workspace: &Workspace, candidates: &mut [Candidate]) {
    let mut count: BTreeMap<usize, usize> = BTreeMap::new();
    for candidate in candidates.iter() {
        *count.entry(candidate.service.package).or_default() += 1;
    }
    for candidate in candidates {
        let service = &mut candidate.service;
        if count[&service.package] > 1 {
            service.name = service.binary.clone();
        } else {
            service.name = workspace.packages[service.package].name.clone();
        }
    }
}

/// The only TCP port that the service's image exposes.
fn exposed(workspace: &Workspace, documents: &Documents) -> Option<Found<u16>> {
    documents.dockerfiles.iter().find_map(|index| {
        let file = &workspace.dockerfiles[*index];
        let ports: Vec<_> =
            file.lineage(file.last_stage()).flat_map(|stage| &stage.exposed).filter(|port| port.protocol == "tcp").collect();
        match ports[..] {
            [only] if only.port == only.last => Some(Found { value: only.port, at: Location::new(file.file, only.span) }),
            _ => None,
        }
    })
}

/// Indexes of the Rust files below a directory: they stand together, as files are in path order.
fn files_below(workspace: &Workspace, directory: &Utf8Path) -> Range<usize> {
    let path = |index: usize| workspace.sources.path(workspace.rust[index].file);
    let count = workspace.rust.len();
    let first = partition(count, |index| path(index) < directory);
    let below = partition(count - first, |offset| path(first + offset).starts_with(directory));
    first..first + below
}

/// How many of the first `count` indexes satisfy `holds`, which all do before the first that does not.
fn partition(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

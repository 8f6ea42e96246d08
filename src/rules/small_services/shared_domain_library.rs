use std::collections::BTreeMap;

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::data_ownership::is_job;
use crate::rules::words::has_word;
use crate::service::Protocol;
use crate::workspace::http::{Purpose, purpose};
use crate::workspace::manifest::{Dependency, Package, TargetKind};
use crate::workspace::names::index_of;
use crate::workspace::rust::ModuleId;
use crate::workspace::sql::{Table, Verb};
use crate::workspace::tables::statements;
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// Two services share a library that works on a database's tables.
    ///
    /// ## Why is this bad?
    /// The tables are one service's business; in a shared library they are everybody's. A column cannot change unless all services are built
    /// and deployed again at the same moment, and each of them may write what the others rely on.
    ///
    /// ## Example
    /// ```toml
    /// # services/orders/Cargo.toml and services/billing/Cargo.toml
    /// [dependencies]
    /// shop-model = { path = "../../libs/shop-model" } # `SELECT … FROM orders`, `struct Entity`
    /// ```
    ///
    /// ## Use instead
    /// Entities and queries in the crate of the service that owns the table; the others call its API, or take its events, with types
    /// generated from the contract.
    ///
    /// ## Not reported when
    /// - fewer than two services that answer callers certainly run code that names tables of the library: workers, consumers, migrators and
    ///   seeders belong to the service whose tables they work on;
    /// - the services are binaries of one package;
    /// - its tables are all infrastructure's: an outbox, idempotency keys, jobs, migrations, sessions;
    /// - the library is named for protocols, clients, telemetry, tests or the chassis, or keeps an SQLite file of its own in each process.
    ///
    /// Tables are those of query strings (sqlx, diesel, SeaORM, tokio-postgres, rusqlite, mysql_async), SeaORM entities, and diesel schemas that
    /// are written to.
    ///
    /// ## Source
    /// "Shared libraries", MARS (Tighilt et al., Journal of Systems and Software 2023); Taibi and Lenarduzzi, "On the definition of microservice bad
    /// smells", IEEE Software 2018.
    "shared-domain-library", "MSVC204", Practice::SmallServices, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Words in names of libraries that are shared on purpose.
const TECHNICAL: &[&str] = &[
    "proto",
    "protos",
    "protobuf",
    "api",
    "client",
    "clients",
    "sdk",
    "telemetry",
    "chassis",
    "outbox",
    "migration",
    "migrations",
    "test",
    "tests",
    "testing",
    "testutils",
    "base",
    "storage",
    "framework",
    "kit",
    "mock",
    "mocks",
    "queue",
    "jobs",
    "bench",
];
/// Words in names of tables that every service may have.
const INFRASTRUCTURE: &[&str] = &[
    "outbox",
    "inbox",
    "idempotency",
    "job",
    "jobs",
    "task",
    "tasks",
    "queue",
    "migration",
    "migrations",
    "session",
    "sessions",
    "lock",
    "locks",
    "lease",
    "leases",
    "pg",
    "sqlite",
    "information",
    "pragma",
    "dead",
    "processed",
];

/// A table of a library, and where one of the services comes to it.
type Seen = (Table, Location);

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut users: BTreeMap<usize, BTreeMap<usize, (&Service, Seen)>> = BTreeMap::new();
    let services: Vec<&Service> =
        workspace.services.iter().filter(|service| answers(workspace, service) && !is_job(service)).collect();
    if services.len() < 2 {
        return;
    }
    let statements = statements(workspace).into_iter().filter(|found| matches!(found.verb, Verb::Read | Verb::Write));
    for statement in statements.filter(|found| !has_word(&found.table.name, INFRASTRUCTURE)) {
        let crates = statement.node.crates().map(|krate| (krate, statement.node.at()));
        let declared = statement.declared.and_then(|at| Some((crate_of(workspace, at)?, at)));
        for (krate, at) in crates.chain(declared) {
            let Some(library) = library(workspace, krate) else { continue };
            for service in services.iter().filter(|service| workspace.runs(service, statement.node)) {
                let seen = (statement.table.clone(), at);
                users.entry(library).or_default().entry(service.package).or_insert((*service, seen));
            }
        }
    }
    for (library, services) in users.into_iter().filter(|(_, services)| services.len() > 1) {
        let package = &workspace.packages[library];
        let names: Vec<String> = services.values().map(|(service, _)| format!("`{}`", service.name)).collect();
        let mut diagnostic = Diagnostic::new(
            format!("`{}` works on tables for {}", package.name, names.join(", ")),
            Location::new(package.manifest, package.name_span),
            "a library with tables, shared by services",
        )
        .help("move the tables into the service that owns them, and let the others ask its API")
        .evidence("services that answer callers, not workers, consumers and migrators")
        .evidence("tables of infrastructure: an outbox, jobs, migrations, sessions")
        .confidence(Confidence::Medium);
        for (service, (table, at)) in services.into_values() {
            diagnostic = diagnostic.related(at, format!("`{}` comes to `{table}` here", service.name));
        }
        out.push(diagnostic);
    }
}

/// The package of a library that is nobody's own: no service is made of it alone.
fn library(workspace: &Workspace, krate: usize) -> Option<usize> {
    let compiled = &workspace.names.crates[krate];
    let package = &workspace.packages[compiled.package];
    let is_service = workspace.services.iter().any(|service| service.package == compiled.package);
    let is_shared = compiled.kind == TargetKind::Lib && !is_service && !has_word(&package.name, TECHNICAL);
    (is_shared && !is_embedded(package)).then_some(compiled.package)
}

/// A library that keeps a file of its own in whatever process it is part of.
fn is_embedded(package: &Package) -> bool {
    let drivers = package.dependencies.iter().filter(|dependency| matches!(&*dependency.package, "sqlx" | "rusqlite"));
    let has = |dependency: &Dependency, engines: &[&str]| {
        dependency.features.iter().any(|feature| engines.iter().any(|engine| feature.contains(engine)))
    };
    drivers
        .into_iter()
        .any(|driver| driver.package == "rusqlite" || has(driver, &["sqlite"]) && !has(driver, &["postgres", "mysql"]))
}

/// Whether others call it: it has a route that is neither a probe nor a scrape, or it serves gRPC.
fn answers(workspace: &Workspace, service: &Service) -> bool {
    let Some(served) = workspace.served(service) else { return false };
    let serves = |kind: Protocol| service.protocol.as_ref().is_some_and(|found| found.value == kind);
    let mut paths = served.routes.iter().flat_map(|route| &route.paths);
    serves(Protocol::Grpc)
        || serves(Protocol::Rest) && paths.any(|path| matches!(purpose(path), Purpose::Business | Purpose::GraphQl))
}

/// The crate that the file of a place is part of.
fn crate_of(workspace: &Workspace, at: Location) -> Option<usize> {
    let file = index_of(&workspace.rust, at.file)?;
    let module = *workspace.names.modules_of(file, ModuleId::root()).first()?;
    Some(workspace.names.modules[module].krate)
}

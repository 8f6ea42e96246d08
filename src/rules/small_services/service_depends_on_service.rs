use std::collections::{BTreeSet, VecDeque};

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::resiliency_patterns::requests::handlers;
use crate::workspace::manifest::{Dependency, DependencyKind, TargetKind};
use crate::workspace::names::{RustIndex, index_of};
use crate::workspace::rust::ModuleId;
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A service depends on the crate of another service.
    ///
    /// ## Why is this bad?
    /// The two are compiled, released and broken together: a change inside one service rebuilds and redeploys the other, and
    /// what should be a call over an API becomes a function call into foreign code and, soon, into foreign tables.
    ///
    /// ## Example
    /// ```toml
    /// # services/billing/Cargo.toml
    /// [dependencies]
    /// orders = { path = "../orders" }
    /// ```
    ///
    /// ## Use instead
    /// Call the other service's API. Where both need the same types, keep the contract (an OpenAPI document, `.proto` files or a
    /// small client crate) apart from the service:
    /// ```toml
    /// # services/billing/Cargo.toml
    /// [dependencies]
    /// orders-client = { path = "../../clients/orders" }
    /// ```
    ///
    /// ## Not reported when
    /// - it is a dev-dependency, of its own or of a library between them (a contract test may run the other service) or a build-dependency;
    /// - the other crate has no library, or is no service (see `--show-services`);
    /// - what serves and answers stands in the other crate's binary: its library may be just what callers need, types and a client;
    /// - the service depends on three services or more: it is made to run them in one process;
    /// - both services are binaries of one package.
    ///
    /// ## Source
    /// Lewis and Fowler, "Microservices" (2014): componentization via services, independently deployable. Of the antipatterns
    /// of Taibi and Lenarduzzi (IEEE Software 2018), "shared libraries" in its strongest form.
    "service-depends-on-service", "MSVC205", Practice::SmallServices, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for (index, package) in workspace.packages.iter().enumerate() {
        let Some(service) = service_in(workspace, index) else { continue };
        let found = on_services(workspace, index);
        if found.len() >= ALL_IN_ONE {
            continue;
        }
        for On { dependency, other, through } in found {
            let other_package = &workspace.packages[other.package];
            if other_package.library().is_none() || !serves_in_library(workspace, other) {
                continue;
            }
            let mut diagnostic = Diagnostic::new(
                format!("service `{}` depends on the crate of service `{}`", service.name, other.name),
                Location::new(package.manifest, dependency.span),
                format!("the crate of `{}` becomes part of `{}`", other.name, service.name),
            )
            .related(
                Location::new(other_package.manifest, other_package.name_span),
                format!("`{}` is a service{}", other.name, because(other)),
            )
            .help(format!(
                "call the API of `{}` instead; move the types that both need into a crate of their own, without its logic",
                other.name
            ))
            .evidence("a dev- or build-dependency instead of a normal one")
            .service(&service.name);
            if let Some((between, last)) = through {
                let between = &workspace.packages[between];
                let at = Location::new(between.manifest, last.span);
                diagnostic = diagnostic.related(at, format!("by way of `{}`", between.name));
            }
            out.push(diagnostic);
        }
    }
}

/// Who depends on that many services puts them into one process on purpose.
const ALL_IN_ONE: usize = 3;

/// A service whose crate a package takes in.
struct On<'w> {
    /// The package's own dependency that leads there.
    dependency: &'w Dependency,
    other: &'w Service,
    /// The last package on the way that is no service, and its dependency.
    through: Option<(usize, &'w Dependency)>,
}

/// Services that a package depends on, also by way of packages that are none; each once, the nearest first.
fn on_services(workspace: &Workspace, package: usize) -> Vec<On<'_>> {
    let mut found: Vec<On<'_>> = Vec::new();
    let mut seen = BTreeSet::from([package]);
    let mut open: VecDeque<(usize, Option<&Dependency>)> = VecDeque::from([(package, None)]);
    while let Some((at, first)) = open.pop_front() {
        let normal = workspace.packages[at].dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in normal {
            let Some(local) = dependency.local.filter(|local| seen.insert(*local)) else { continue };
            let own = first.unwrap_or(dependency);
            match service_in(workspace, local) {
                Some(other) => found.push(On { dependency: own, other, through: first.map(|_| (at, dependency)) }),
                None => open.push_back((local, Some(own))),
            }
        }
    }
    found
}

/// Whether the package's library holds what serves or answers requests: else it may be just what callers need, types and a client.
fn serves_in_library(workspace: &Workspace, service: &Service) -> bool {
    let in_library = |file: RustIndex| {
        let modules = workspace.names.modules_of(file, ModuleId::root()).iter();
        let mut crates = modules.map(|&module| &workspace.names.crates[workspace.names.modules[module].krate]);
        crates.any(|krate| krate.kind == TargetKind::Lib && krate.package == service.package)
    };
    let serving = service.evidence.iter().filter_map(|found| index_of(&workspace.rust, found.at.file));
    let Some(served) = workspace.served(service) else { return true };
    let answering = handlers(workspace, &served).map(|handler| handler.file());
    let mut files = serving.chain(answering).peekable();
    files.peek().is_none() || files.any(in_library)
}

/// The first service of a package.
fn service_in(workspace: &Workspace, package: usize) -> Option<&Service> {
    workspace.services.iter().find(|service| service.package == package)
}

fn because(service: &Service) -> String {
    service.evidence.first().map(|evidence| format!(": it {}", evidence.value)).unwrap_or_default()
}

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::workspace::manifest::DependencyKind;
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
    /// - it is a dev-dependency (a contract test may run the other service) or a build-dependency;
    /// - the other crate has no library, or is no service (see `--show-services`);
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
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let Some(other_index) = dependency.local.filter(|&other| other != index) else { continue };
            let other_package = &workspace.packages[other_index];
            let Some(other) = service_in(workspace, other_index).filter(|_| other_package.library().is_some()) else { continue };
            out.push(
                Diagnostic::new(
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
                .service(&service.name),
            );
        }
    }
}

/// The first service of a package.
fn service_in(workspace: &Workspace, package: usize) -> Option<&Service> {
    workspace.services.iter().find(|service| service.package == package)
}

fn because(service: &Service) -> String {
    service.evidence.first().map(|evidence| format!(": it {}", evidence.value)).unwrap_or_default()
}

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::dockerfile::Dockerfile;
use crate::workspace::http::{Framework, Purpose, Served, purpose};
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// Nothing can ask a service whether it is well.
    ///
    /// ## Why is this bad?
    /// Without a health route or probe, traffic is sent to a service that has not started, has lost its database or hangs; it is
    /// not restarted, and a bad rollout is not stopped.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list));
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new()
    ///     .route("/livez", get(|| async { "ok" }))
    ///     .route("/readyz", get(ready))
    ///     .route("/v1/orders", get(list));
    /// ```
    /// gRPC: `tonic_health::server::health_reporter()`, whose service goes into `add_service`.
    ///
    /// ## Not reported when
    /// - a route's path, handler or handler's module is named for it (`livez`, `readyz`, `healthz`, `health`, `ping`, `status`, `alive`, `heartbeat`, …), on any
    ///   port, or the code compares a path with such a text;
    /// - it serves `grpc.health.v1`;
    /// - its routes are spelled in a way that is not read (dropshot's endpoints, generated code);
    /// - a Dockerfile or compose file that runs it has a health check, or a Kubernetes workload of it has a probe.
    ///
    /// ## Source
    /// "No health check", MARS (Tighilt et al., Journal of Systems and Software 2023); Richardson, "Health check API",
    /// microservices.io; gRPC health checking protocol.
    "no-health-check", "MSVC903", Practice::Containers, Level::Deny, Tier::Default, Check::Service(check)
}

/// Methods and functions that ask somebody else: a path among their arguments is no route.
const REQUESTS: &[&str] = &["get", "post", "head", "put", "patch", "delete", "request", "join", "send", "uri", "url", "parse"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let Some(server) = served.traffic().into_iter().next() else { return };
    if has_route(&served) || has_grpc_health(&served) || has_dependency(workspace, service) || is_probed(workspace, service) {
        return;
    }
    let is_grpc = server.framework == Framework::Tonic;
    let help = match server.framework {
        Framework::Tonic => {
            "add `tonic_health::server::health_reporter()` and its service with `.add_service(…)`; Kubernetes probes it with `grpc: {port: …}`"
        }
        Framework::Axum | Framework::AxumServer => {
            "add `.route(\"/livez\", get(|| async { \"ok\" }))` and a `/readyz` that checks what the service needs"
        }
        Framework::Actix | Framework::Ntex => {
            "add `.route(\"/livez\", web::get().to(HttpResponse::Ok))` and a `/readyz` that checks what the service needs"
        }
        Framework::Rocket => {
            "add `#[get(\"/livez\")] fn livez() -> &'static str { \"ok\" }` and a `/readyz` that checks what the service needs"
        }
        Framework::Poem => "add `.at(\"/livez\", get(livez))` and a `/readyz` that checks what the service needs",
        Framework::Warp => "add `warp::path!(\"livez\").map(|| \"ok\")` and a `readyz` that checks what the service needs",
        _ => "answer `/livez` at once, and `/readyz` when what the service needs is there",
    };
    // Paths that are compared by hand are read as texts. With neither, they are spelled in a way that we do not read.
    let by_hand = !is_grpc && served.routes.is_empty();
    let is_path = |text: &str| text.starts_with('/');
    if by_hand && (server.framework == Framework::Dropshot || served.texts(is_path).all(is_request)) {
        return;
    }
    out.push(
        Diagnostic::new(
            format!("`{}` has no health check", service.name),
            server.at,
            "nothing can ask this server whether it is well",
        )
        .help(help)
        .evidence(match is_grpc {
            true => "the service grpc.health.v1 (tonic-health, or an `impl Health`)".to_owned(),
            false => format!("a health route among the {} routes that this binary reaches", served.routes.len()),
        })
        .evidence("HEALTHCHECK in a Dockerfile that builds it, `healthcheck` of its compose service, a probe of its Kubernetes workload")
        .confidence(if by_hand { Confidence::Medium } else { Confidence::High }),
    );
}

fn has_route(served: &Served<'_>) -> bool {
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["health", "livez", "liveness", "readyz", "readiness", "alive", "heartbeat"].iter().any(|word| name.contains(word))
            || purpose(&name) == Purpose::Health
    };
    let by_route = served.routes.iter().any(|route| {
        route.paths.iter().any(|path| purpose(path) == Purpose::Health)
            || route.handler_name.as_deref().is_some_and(named)
            || route.handlers.iter().any(|&handler| names_of(served.workspace, handler).any(named))
    });
    by_route || served.texts(|text| text.starts_with('/') && purpose(text) == Purpose::Health).any(|node| !is_request(node))
}

/// A handler's name and its module's: `health::get`.
fn names_of(workspace: &Workspace, handler: FunctionRef) -> impl Iterator<Item = &str> {
    let item = workspace.function(handler);
    let module = workspace.names.modules_of(handler.file(), item.module).first();
    std::iter::once(&*item.name).chain(module.map(|&module| &*workspace.names.modules[module].name))
}

fn is_request(node: Node<'_>) -> bool {
    let call = node.ancestors().find(|ancestor| ancestor.arguments().next().is_some());
    call.is_some_and(|call| {
        let name = call.last_name().unwrap_or_default();
        // `.get("/status", handler)` is a route.
        let asks = REQUESTS.contains(&name) && call.arguments().count() == 1;
        asks || name.starts_with("format")
    })
}

fn has_grpc_health(served: &Served<'_>) -> bool {
    let implements = served.reach.functions().iter().any(|&function| {
        let of_trait = served.workspace.function(function).of_trait.as_ref();
        of_trait.and_then(|of_trait| of_trait.last()).is_some_and(|name| &**name == "Health")
    });
    implements
        || served.mentions("health_reporter")
        || served.names_path(|path| path.iter().any(|name| matches!(&**name, "tonic_health" | "HealthServer" | "HealthReporter")))
}

/// Crates that bring a route of their own.
fn has_dependency(workspace: &Workspace, service: &Service) -> bool {
    let package = &workspace.packages[service.package];
    package
        .dependencies
        .iter()
        .any(|known| known.local.is_none() && (known.package.contains("health") || known.package.contains("actuator")))
}

fn is_probed(workspace: &Workspace, service: &Service) -> bool {
    let has_check = |dockerfile: &Dockerfile| dockerfile.stages.last().is_some_and(|stage| stage.healthcheck.is_some());
    workspace.dockerfiles_of(service).any(has_check)
        || workspace.compose_of(service).any(|(_, entry)| entry.healthcheck.is_some())
        || workspace
            .containers_of(service)
            .any(|(_, container)| container.liveness.is_some() || container.readiness.is_some() || container.startup.is_some())
}

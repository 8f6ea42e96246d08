use std::collections::HashSet;

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::graph::Target;
use crate::workspace::http::{Route, Served};
use crate::workspace::kubernetes::ProbeAction;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprId, ExprKind};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// The liveness probe asks a database or another service.
    ///
    /// ## Why is this bad?
    /// A liveness probe says "restart me". When the database is slow or away for a moment, every replica of every service that asks it
    /// fails its probe at the same time and is restarted: a short outage becomes a long one, and the restarts reconnect all at once.
    ///
    /// ## Example
    /// ```rust
    /// async fn livez(State(pool): State<PgPool>) -> Result<(), StatusCode> {
    ///     sqlx::query("SELECT 1").execute(&pool).await.map(drop).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn livez() -> StatusCode { StatusCode::OK }
    /// ```
    /// and ask the dependency in the readiness probe, which takes the replica out of the load balancer and lets it live.
    ///
    /// ## Not reported when
    /// - the route is not known to be a liveness probe: a manifest's `livenessProbe` names its path, or its last segment says so
    ///   (`livez`, `live`, `liveness`, `alive`); `/health` alone may be any probe;
    /// - what its handler calls could not be followed to a database or an HTTP client.
    ///
    /// ## Source
    /// [Kubernetes: liveness probes](https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/) ("incorrect
    /// implementation of liveness probes can lead to cascading failures"); Kubernetes API guidelines, `livez` and `readyz`.
    "liveness-calls-dependency", "MSVC104", Practice::DesignForFailure, Level::Deny, Tier::Default, Check::Service(check)
}

/// Last segments of paths that say it.
const LIVENESS: &[&str] = &["livez", "live", "liveness", "alive", "is_alive", "isalive", "liveliness"];
/// Functions called by functions … are looked at this far.
const MAX_DEPTH: usize = 5;

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let probes: Vec<(String, Location)> = workspace
        .containers_of(service)
        .filter_map(|(object, container)| {
            let probe = container.liveness.as_ref()?;
            match &probe.action {
                ProbeAction::Http { path, .. } => Some((path.clone(), Location::new(object.file, probe.span))),
                _ => None,
            }
        })
        .collect();
    for route in &served.routes {
        let probe = probes.iter().find(|(path, _)| route.paths.iter().any(|routed| same_path(routed, path)));
        if probe.is_none() && !(probes.is_empty() && route.paths.iter().any(|path| says_liveness(path))) {
            continue;
        }
        let Some(called) = dependency(&served, route) else { continue };
        let path = route.paths.first().map_or("", String::as_str);
        let mut diagnostic = Diagnostic::new(
            format!("the liveness probe `{path}` asks another system"),
            called.name_at(),
            "when this fails, every replica is restarted",
        )
        .help("answer 200 as long as the process runs, and ask dependencies in the readiness probe")
        .related(route.at, "the liveness probe is routed here")
        .evidence("a `livenessProbe` with this path, or a name that says so")
        .confidence(if probe.is_some() { Confidence::High } else { Confidence::Medium });
        if let Some((_, at)) = probe {
            diagnostic = diagnostic.related(*at, "the liveness probe");
        }
        out.push(diagnostic);
    }
}

fn same_path(routed: &str, probed: &str) -> bool {
    let plain = |path: &str| path.split('?').next().unwrap_or_default().trim_matches('/').to_owned();
    !plain(probed).is_empty() && plain(routed) == plain(probed)
}

fn says_liveness(path: &str) -> bool {
    path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| LIVENESS.contains(&last.to_ascii_lowercase().as_str()))
}

/// The first call of a database or an HTTP client that the handler certainly reaches.
fn dependency<'w>(served: &Served<'w>, route: &Route) -> Option<Node<'w>> {
    let workspace = served.workspace;
    let mut seen: HashSet<FunctionRef> = route.handlers.iter().copied().collect();
    let bodies = route.handlers.iter().filter_map(|handler| workspace.body(*handler));
    let closures = route.closures.iter().map(|place| workspace.node(*place));
    let mut open: Vec<(Node<'w>, usize)> = bodies.chain(closures).map(|body| (body, 0)).collect();
    while let Some((body, depth)) = open.pop() {
        if let Some(call) = body.descendants().find(|node| asks(*node) && is_awaited_or_handed_on(*node)) {
            return Some(call);
        }
        let Some(function) = body.function().filter(|_| depth < MAX_DEPTH) else { continue };
        let own: HashSet<ExprId> = body.descendants().map(|node| node.id).collect();
        for mention in workspace.graph.of(workspace, function).iter().filter(|mention| own.contains(&mention.at)) {
            if let Target::Function(called) = mention.of
                // Another service's implementation of a trait is not this one's.
                && served.reach.contains(called)
                && seen.insert(called)
            {
                open.extend(workspace.body(called).map(|body| (body, depth + 1)));
            }
        }
    }
    None
}

/// A call that goes over the network: queries, pings, requests.
fn asks(node: Node<'_>) -> bool {
    let of = |types: &[&str]| matches!(node.receiver().map(Node::ty), Some(Definition::External(path)) if types.iter().any(|ty| path.starts_with(ty)));
    match node.method() {
        // sqlx's, diesel-async's, redis's: no other crate names anything so.
        Some("fetch_one" | "fetch_optional" | "fetch_all" | "query_async" | "simple_query" | "query_one") => true,
        Some("execute") => node.receiver().is_some_and(|receiver| {
            receiver.external().is_some_and(|path| path.starts_with("sqlx::query") || path.starts_with("diesel::"))
        }),
        Some("ping") => of(&["sea_orm::", "redis::", "mongodb::", "sqlx::", "deadpool", "fred::"]),
        Some("acquire" | "begin") => of(&["sqlx::"]),
        Some("get") => of(&["deadpool", "bb8", "mobc", "r2d2"]) && node.arguments().next().is_none(),
        Some("send") => node.receiver().is_some_and(|request| {
            request.receivers().any(|part| part.receiver().is_some_and(|client| client.is_a("reqwest::Client")))
        }),
        Some(_) => false,
        None => matches!(node.kind(), ExprKind::Call { .. }) && node.external().is_some_and(|path| path == "reqwest::get"),
    }
}

fn is_awaited_or_handed_on(node: Node<'_>) -> bool {
    node.ancestors().take(6).any(|ancestor| matches!(ancestor.kind(), ExprKind::Await(_) | ExprKind::Try(_)))
        || node.method() == Some("get")
}

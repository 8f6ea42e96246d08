use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::mentions;
use crate::rules::resiliency_patterns::edges::edges;
use crate::rules::resiliency_patterns::guards::is_named;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// Requests go on waiting for a dependency that is known to be down.
    ///
    /// ## Why is this bad?
    /// While a dependency fails, each request waits for its timeout before it fails, too, and what is down gets all the load, and all the
    /// retries, that keep it down. A circuit breaker answers at once, from a cache or with a default, and lets through just enough to see
    /// when it is back.
    ///
    /// ## Example
    /// ```rust
    /// async fn show(State(app): State<App>) -> Result<Json<Stock>, Error> {
    ///     Ok(Json(app.client.get(&app.inventory).send().await?.json().await?))
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// match app.inventory_breaker.call(app.client.get(&app.inventory).send()).await {
    ///     Ok(answer) => Ok(Json(answer.json().await?)),
    ///     Err(failsafe::Error::Rejected) => Ok(Json(app.last_known_stock())),
    ///     Err(failsafe::Error::Inner(error)) => Err(error.into()),
    /// }
    /// ```
    /// or outlier detection of a mesh: `outlierDetection` of Istio's DestinationRule, Linkerd's failure accrual.
    ///
    /// ## Not reported when
    /// - something that the service reaches, or a library it may use, is named for a circuit, a breaker or outliers (`failsafe`, `recloser`), or
    ///   for a list of hosts that are denied for a while;
    /// - a manifest of the tree speaks of outlier detection, a circuit breaker or failure accrual;
    /// - fewer than two handlers of routes or RPC methods, save those for health and metrics, certainly come to a call of the client;
    /// - the client is built for each request: that is the first thing to mend (`client-per-request`), a breaker needs what lasts;
    /// - the client goes through middleware (`reqwest-middleware`), is handed to a library, or is of another library than reqwest and tonic.
    ///
    /// One finding for each client; the confidence is high where five handlers or more wait for it.
    ///
    /// ## Source
    /// Nygard, "Release It!", "Circuit Breaker"; "Timeouts", MARS (Tighilt et al., 2023), whose remedy it is; reqwest 0.13 and tonic 0.14 have none.
    "no-circuit-breaker", "MSVC106", Practice::DesignForFailure, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// In names of what stops calls to what is down.
const BREAKERS: &[&str] = &["circuit", "breaker", "failsafe", "outlier", "recloser", "hostdeny"];
/// The same, in manifests.
const IN_MANIFESTS: &[&str] =
    &["outlierDetection", "outlier_detection", "circuitBreaker", "circuit-breaker", "circuit_breaker", "failure-accrual"];
/// So many handlers that wait for one client make it a part of the whole service.
const MANY: usize = 5;

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let edges = edges(workspace, service);
    let in_mesh = || workspace.kubernetes.iter().any(|object| IN_MANIFESTS.iter().any(|word| mentions(&object.node, word)));
    if edges.is_empty() || in_mesh() || is_named(workspace, service, BREAKERS) {
        return;
    }
    for edge in edges {
        let diagnostic = Diagnostic::new(
            format!("{} handlers wait for this {}, also while what it calls is down", edge.handlers, edge.what),
            edge.made.name_at(),
            "no circuit breaker stands before its calls",
        )
        .related(edge.call.name_at(), "a handler comes to this call")
        .help("put a circuit breaker around its calls, with a fallback, or outlier detection into the mesh")
        .evidence("a circuit breaker in all that this binary reaches, and among its libraries")
        .evidence("outlier detection or failure accrual in the manifests")
        .confidence(if edge.handlers >= MANY { Confidence::High } else { Confidence::Medium });
        out.push(diagnostic);
    }
}

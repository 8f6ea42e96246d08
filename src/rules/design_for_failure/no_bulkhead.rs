use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::mentions;
use crate::rules::resiliency_patterns::edges::edges;
use crate::rules::resiliency_patterns::guards::is_named;
use crate::rules::resiliency_patterns::no_load_shedding::IN_MANIFESTS;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// One slow dependency may take up the whole service.
    ///
    /// ## Why is this bad?
    /// When a dependency is slow, requests that wait for it pile up, with their memory, sockets and places in every shared limit, until none
    /// is left for those that never needed it. A bulkhead, a limit of its own on calls in flight to each dependency, keeps the hole in one
    /// compartment.
    ///
    /// ## Example
    /// ```rust
    /// let stock = app.client.get(&app.inventory).send().await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let _place = app.inventory_places.try_acquire().map_err(|_| Error::Busy)?; // Semaphore::new(64)
    /// let stock = app.client.get(&app.inventory).send().await?;
    /// ```
    /// tonic: `endpoint.concurrency_limit(64)`; tower: `ServiceBuilder::new().load_shed().concurrency_limit(64)` around the client.
    ///
    /// ## Not reported when
    /// - something that the service reaches, or a library it may use, is named for it: a concurrency limit, a semaphore, a bulkhead, load
    ///   shedding, throttling, requests in flight, also where it limits something else;
    /// - a manifest of the tree limits connections or requests (Istio's `connectionPool`, Envoy's circuit breakers);
    /// - fewer than two handlers of routes or RPC methods, save those for health and metrics, certainly come to a call of the client: there is
    ///   nothing else for it to take up;
    /// - the client is built for each request: that is the first thing to mend (`client-per-request`);
    /// - the client goes through middleware (`reqwest-middleware`), is handed to a library, or is of another library than reqwest and tonic.
    ///
    /// One finding for each client.
    ///
    /// ## Source
    /// Nygard, "Release It!", "Bulkheads"; tonic 0.14 `src/transport/channel/endpoint.rs` (`concurrency_limit: None`); reqwest 0.13
    /// `src/async_impl/client.rs` limits idle connections only (`pool_max_idle_per_host`).
    "no-bulkhead", "MSVC107", Practice::DesignForFailure, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// In names of what limits calls in flight.
const LIMITS: &[&str] =
    &["concurren", "semaphore", "bulkhead", "loadshed", "inflight", "throttl", "bufferunordered", "ratelimit", "governor"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let edges = edges(workspace, service);
    let in_mesh = || workspace.kubernetes.iter().any(|object| IN_MANIFESTS.iter().any(|word| mentions(&object.node, word)));
    if edges.is_empty() || in_mesh() || is_named(workspace, service, LIMITS) {
        return;
    }
    for edge in edges {
        let diagnostic = Diagnostic::new(
            format!("{} handlers may all wait for this {} at the same time", edge.handlers, edge.what),
            edge.made.name_at(),
            "nothing limits its calls in flight",
        )
        .related(edge.call.name_at(), "a handler comes to this call")
        .help("give calls to this dependency a limit of their own, and refuse what is above it")
        .evidence("a semaphore, a concurrency limit or load shedding, in all that this binary reaches")
        .evidence("a limit of connections or requests in the manifests")
        .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

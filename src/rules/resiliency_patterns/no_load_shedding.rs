use super::guards::{has_unknown_layer, is_named};
use super::requests::serves_probes_only;
use super::server_without_timeout::serves_streams_only;
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::mentions;
use crate::rules::edge::runs_proxy;
use crate::workspace::http::{Framework, Server, Shutdown};
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A server takes on any number of requests at once.
    ///
    /// ## Why is this bad?
    /// Past what it can do at the same time, each further request makes all others slower, until every caller has given up before its
    /// answer comes: the service is busy and useful to nobody. One that refuses what is too much keeps answering the rest.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list));
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list)).layer(
    ///     ServiceBuilder::new()
    ///         .layer(HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE }))
    ///         .load_shed()
    ///         .layer(GlobalConcurrencyLimitLayer::new(512)),
    /// );
    /// ```
    /// tonic: `Server::builder().load_shed(true).concurrency_limit_per_connection(64)`. Others: a middleware that asks a semaphore's
    /// `try_acquire`, and answers 503 where there is no place.
    ///
    /// ## Not reported when
    /// - something that the service reaches, or a library it may use, is named for it: a concurrency limit, load shedding, a semaphore, a bulkhead,
    ///   throttling, requests in flight, a maximum of connections, a rate limit;
    /// - a middleware, or what is handed over as one, is of a crate whose source was not read: it may limit;
    /// - something limits it in front: an Envoy among the containers (1,024 requests for each cluster by default), an Istio DestinationRule, an
    ///   ingress's annotation;
    /// - what runs the server is a library whose source was not read;
    /// - the framework limits connections by default (actix-web: 25,600), or was not looked at (ntex, dropshot, tide, salvo);
    /// - it serves only WebSockets, server-sent events, health, metrics and administration.
    ///
    /// One finding for each service.
    ///
    /// ## Source
    /// Google SRE book, "Handling Overload"; axum 0.8 `src/serve/mod.rs` (a task for each connection); tonic 0.14 `src/transport/server/mod.rs`
    /// (`concurrency_limit: None, load_shed: false`); warp 0.3 and 0.4, poem 3, rocket 0.5 `src/server.rs` (none); actix-web 4 `src/server.rs`; Envoy documentation, "Circuit breaking".
    "no-load-shedding", "MSVC618", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// In names of what limits how much is done at once.
const LIMITS: &[&str] = &[
    "concurren",
    "loadshed",
    "shedding",
    "semaphore",
    "bulkhead",
    "throttl",
    "inflight",
    "maxconnections",
    "overload",
    "admission",
    "backpressure",
    "ratelimit",
    "governor",
    "maxrequests",
];
/// The same, in manifests.
pub const IN_MANIFESTS: &[&str] = &[
    "maxRequests",
    "maxPendingRequests",
    "maxConnections",
    "connectionPool",
    "limit-connections",
    "circuitBreaker",
    "inFlightReq",
    "max-connections",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let unlimited = |framework| {
        use Framework::{Axum, AxumServer, Hyper, HyperConnection, Poem, Rocket, Tonic, Warp};
        matches!(framework, Axum | AxumServer | Hyper | HyperConnection | Poem | Rocket | Tonic | Warp)
    };
    // What another library runs may be limited there.
    let runs = |server: &&Server| unlimited(server.framework) && server.shutdown != Shutdown::Unknown;
    // rocket 0.4 has two threads for each core, and no more: its `config.rs`.
    let package = &workspace.packages[service.package];
    let old = package
        .dependency("rocket")
        .and_then(|rocket| rocket.version.as_deref())
        .is_some_and(|version| version.starts_with("0.4."));
    let runs = |server: &&Server| runs(server) && !(old && server.framework == Framework::Rocket);
    let servers: Vec<&Server> = served.traffic().into_iter().filter(runs).collect();
    let in_front = || workspace.kubernetes.iter().any(|object| IN_MANIFESTS.iter().any(|word| mentions(&object.node, word)));
    let Some((server, others)) = servers.split_first().filter(|_| !serves_streams_only(&served) && !serves_probes_only(&served))
    else {
        return;
    };
    if in_front() || runs_proxy(workspace, "envoy") || has_unknown_layer(&served) || is_named(workspace, service, LIMITS) {
        return;
    }
    let help = match server.framework {
        Framework::Tonic => "add `.load_shed(true).concurrency_limit_per_connection(limit)` to `Server::builder()`",
        Framework::Poem | Framework::Rocket | Framework::Warp => {
            "ask a semaphore's `try_acquire` in a middleware, and answer 503 where it has no place"
        }
        _ => "add tower's `load_shed` and, inside of it, `GlobalConcurrencyLimitLayer` around the routes, and answer 503",
    };
    let mut diagnostic = Diagnostic::new(
        format!("this {} server takes on any number of requests at once", server.framework.name()),
        server.at,
        "nothing is refused, whatever the load",
    )
    .help(help)
    .evidence("a concurrency limit, load shedding, a semaphore or a rate limit, in all that this binary reaches")
    .evidence("a limit of connections or requests in a manifest")
    .confidence(Confidence::Medium);
    for other in others {
        diagnostic = diagnostic.related(other.at, "this one, too");
    }
    out.push(diagnostic);
}

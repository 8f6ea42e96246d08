use super::grpc;
use super::requests::per_request_functions;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A client with a pool of connections is built for each request.
    ///
    /// ## Why is this bad?
    /// A client keeps connections, so that the next call need not open one. Built inside a handler it is thrown away with
    /// them: each request pays for DNS, TCP and TLS, the other side is flooded with connections, and local ports run out
    /// under load. Limits of the pool limit nothing.
    ///
    /// ## Example
    /// ```rust
    /// async fn stock() -> Result<String, Error> {
    ///     let client = reqwest::Client::new();
    ///     Ok(client.get(url).send().await?.text().await?)
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn stock(State(app): State<App>) -> Result<String, Error> {
    ///     Ok(app.client.get(url).send().await?.text().await?)
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - it is built once: in a static, a `OnceCell`, a `LazyLock`, a cache, or what is kept in a field or a map;
    /// - what it is built with belongs to the request: a proxy, a resolved address, a certificate, a cookie store;
    /// - no handler of a route, and no RPC method, certainly calls the function that builds it, directly or through one other;
    /// - a function named for a cache stands between them;
    /// - the handler opens a WebSocket or a stream of events, which stay open for long.
    ///
    /// ## Source
    /// reqwest 0.13 `src/async_impl/client.rs`: "The `Client` holds a connection pool internally to improve performance […], so
    /// it is advised that you create one and **reuse** it." sqlx 0.8 `src/pool/mod.rs`: a pool is meant to be made once.
    /// tonic 0.14 `src/transport/channel/mod.rs`: a channel is cheap to clone.
    "client-per-request", "MSVC616", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Service(check)
}

/// Calls that make something with connections of its own, and what it is.
const MAKERS: &[(&str, &str)] = &[
    ("reqwest::Client::new", "an HTTP client"),
    ("reqwest::Client::default", "an HTTP client"),
    ("reqwest::Client::builder", "an HTTP client"),
    ("reqwest::ClientBuilder::new", "an HTTP client"),
    ("reqwest::ClientBuilder::default", "an HTTP client"),
    ("reqwest::get", "an HTTP client"),
    ("hyper_util::client::legacy::Client::builder", "an HTTP client"),
    ("hyper::Client::new", "an HTTP client"),
    ("hyper::Client::builder", "an HTTP client"),
    ("hyper::client::Client::new", "an HTTP client"),
    // awc 3 `src/builder.rs`: `finish` makes a connector, with a pool of its own.
    ("awc::Client::new", "an HTTP client"),
    ("awc::Client::default", "an HTTP client"),
    ("awc::Client::builder", "an HTTP client"),
    ("sqlx::PgPool::connect", "a connection pool"),
    ("sqlx::MySqlPool::connect", "a connection pool"),
    ("sqlx::SqlitePool::connect", "a connection pool"),
    ("sqlx::postgres::PgPool::connect", "a connection pool"),
    ("sqlx::postgres::PgPoolOptions::new", "a connection pool"),
    ("sqlx::mysql::MySqlPoolOptions::new", "a connection pool"),
    ("sea_orm::Database::connect", "a connection pool"),
    ("mongodb::Client::with_uri_str", "a MongoDB client"),
    ("mongodb::Client::with_options", "a MongoDB client"),
    ("rdkafka::producer::FutureProducer::from_config", "a Kafka producer"),
    ("async_nats::connect", "a NATS client"),
    ("lapin::Connection::connect", "an AMQP connection"),
];

/// Methods of builders that take what belongs to one request.
const OF_REQUEST: &[&str] = &[
    "proxy",
    "no_proxy",
    "resolve",
    "resolve_to_addrs",
    "dns_resolver",
    "identity",
    "add_root_certificate",
    "cookie_provider",
    "cookie_store",
    "local_address",
    "redirect",
    "danger_accept_invalid_certs",
];

/// What keeps a value for longer than a request.
const KEEPERS: &[&str] = &[
    "get_or_init",
    "get_or_try_init",
    "get_or_insert_with",
    "or_insert_with",
    "or_try_insert_with",
    "or_insert",
    "get_with",
    "try_get_with",
    "get_or_try_insert_with",
    "call_once",
    "force",
    "insert",
    "set",
    "replace",
    "push",
    "put",
    "store",
    "send",
    "spawn",
    "write",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let mut per_request = None;
    let channels = grpc::clients(workspace).into_iter().map(|client| (client.made, "a gRPC channel"));
    let others = MAKERS.iter().flat_map(|&(maker, what)| workspace.calls_to(maker).map(move |call| (call, what)));
    for (call, what) in channels.chain(others) {
        if workspace.runs(service, call) {
            let Some(function) = call.function() else { continue };
            let found = per_request.get_or_insert_with(|| per_request_functions(workspace, service, &|at| !is_kept_around(at)));
            let Some(&(handler, calls)) = found.get(&function) else {
                workspace.spared(|| call.at(), "no handler comes to it");
                continue;
            };
            if is_kept(call) {
                workspace.spared(|| call.at(), "a static, cell, lock, cache, map or field keeps it");
                continue;
            }
            let mut diagnostic = Diagnostic::new(format!("{what} is built for each request"), call.name_at(), "built here")
                .help("build it once at start-up, keep it in the service's state, and clone it: clones share its connections")
                .evidence("a static, cell, lock, cache, map or field that keeps it")
                .evidence("parts of it that belong to the request: a proxy, a resolved address, a certificate")
                .confidence(if calls == 0 { Confidence::High } else { Confidence::Medium });
            if calls > 0 {
                diagnostic = diagnostic.related(workspace.function_location(handler), "this handler comes to it");
            }
            out.push(diagnostic);
        }
    }
}

/// Whether the client outlives the request, or must be made for it.
pub fn is_kept(call: Node<'_>) -> bool {
    if is_kept_around(call) {
        return true;
    }
    let fate = call.fate(&is_builder_method);
    let keeps = |taker: &Node<'_>| taker.last_name().is_some_and(|name| KEEPERS.contains(&name)) || is_kept_around(*taker);
    let of_request = |method: &Node<'_>| method.method().is_some_and(|name| OF_REQUEST.contains(&name));
    fate.methods.iter().any(of_request) || fate.given.iter().any(keeps)
}

/// Methods that give a builder back, or what it builds; not requests.
fn is_builder_method(name: &str) -> bool {
    const STARTS: &[&str] =
        &["connect", "max_", "min_", "pool_", "http", "tcp_", "tls", "use_", "danger_", "default_", "user_agent"];
    name == "build"
        || grpc::SETUP.contains(&name)
        || name.contains("timeout")
        || OF_REQUEST.contains(&name)
        || STARTS.iter().any(|start| name.starts_with(start))
}

/// Stands in what runs once or keeps its arguments, or is assigned to a field or a static.
fn is_kept_around(node: Node<'_>) -> bool {
    let mut inner = node;
    node.ancestors().any(|ancestor| {
        let is_receiver = ancestor.receiver().is_some_and(|receiver| receiver.id == inner.id);
        inner = ancestor;
        match ancestor.kind() {
            // `LazyLock::new(|| …)` of a static, also of one inside a function.
            ExprKind::Call { .. }
                if ancestor.path().is_some_and(|path| path.iter().any(|name| matches!(&**name, "LazyLock" | "Lazy"))) =>
            {
                true
            }
            ExprKind::Call { .. } | ExprKind::Method { .. } => {
                !is_receiver && ancestor.last_name().is_some_and(|name| KEEPERS.contains(&name))
            }
            ExprKind::Macro { path, .. } => path.last().is_some_and(|name| matches!(&**name, "lazy_static" | "thread_local")),
            ExprKind::Assign { left, .. } => ancestor.with(*left).variable().is_none(),
            _ => false,
        }
    })
}

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::resiliency_patterns::grpc;
use crate::rules::values::unwrapped;
use crate::rules::words::has_word;
use crate::workspace::graph::Target;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A service does not start while something it connects to is away.
    ///
    /// ## Why is this bad?
    /// After an outage, or in a new environment, everything starts at once and in any order. A service that ends because its
    /// broker is a second late is restarted, with longer and longer pauses (Kubernetes goes up to five minutes), takes those that
    /// wait for it down in the same way, and cannot answer even what it could answer alone.
    ///
    /// ## Example
    /// ```rust
    /// let nats = async_nats::connect(&url).await.expect("NATS");
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let nats = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(&url).await?;
    /// ```
    /// tonic: `endpoint.connect_lazy()`. redis: `ConnectionManager`. lapin 4: `ConnectionProperties::default().enable_auto_recover()`. Others: a
    /// loop with a growing pause, such as `backon`'s `retry`, and readiness that says "not yet" until it is through.
    ///
    /// ## Not reported when
    /// - a loop, or a call named for retries, attempts, backoff or waiting stands around the connect, or around a call on the way to it;
    /// - the library tries again by itself: pools of sqlx (and SeaORM), r2d2 and bb8, redis's `ConnectionManager`; or connects when first
    ///   used: `connect_lazy`, deadpool, MongoDB, Kafka;
    /// - the failure is handled, or ends a task and not the process;
    /// - no chain of calls from `main` to the connect is certain, each of which gives the failure on;
    /// - an init container of the service's pod waits first (`wait`, `until`, `pg_isready`, `nc`);
    /// - the address is this machine.
    ///
    /// ## Source
    /// async-nats 0.45 `src/options.rs` (`retry_on_initial_connect: false`); lapin 4.12 `src/connection_properties.rs` ("no retry by default"), 2.5
    /// `src/connection.rs`; tonic 0.14 `src/transport/channel/endpoint.rs`; sqlx-core 0.8 `src/pool/inner.rs` ("an IO error while connecting is
    /// assumed to be the system starting up"); bb8 0.9 `src/api.rs` (`retry_connection: true`); redis 1.8 `src/aio/connection_manager.rs`;
    /// scylla 1.9 `src/cluster/worker.rs`.
    "startup-needs-dependency", "MSVC105", Practice::DesignForFailure, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Calls that connect once, and what to.
const CONNECTS: &[(&str, &str)] = &[
    ("async_nats::connect", "NATS"),
    ("async_nats::connect_with_options", "NATS"),
    ("lapin::Connection::connect", "the broker"),
    ("lapin::Connection::connect_uri", "the broker"),
    ("amqprs::connection::Connection::open", "the broker"),
    ("tokio_postgres::connect", "the database"),
    ("sqlx::PgConnection::connect", "the database"),
    ("sqlx::postgres::PgConnection::connect", "the database"),
    ("sqlx::MySqlConnection::connect", "the database"),
    ("sqlx::PgConnection::connect_with", "the database"),
    ("sqlx::postgres::PgConnection::connect_with", "the database"),
    ("sqlx::MySqlConnection::connect_with", "the database"),
    ("diesel::prelude::PgConnection::establish", "the database"),
    ("diesel::prelude::MysqlConnection::establish", "the database"),
    ("diesel::PgConnection::establish", "the database"),
    ("diesel::pg::PgConnection::establish", "the database"),
    ("diesel::MysqlConnection::establish", "the database"),
    ("diesel_async::AsyncPgConnection::establish", "the database"),
];
/// Makers of what connects by a method, those methods, and what to.
const BY_METHOD: &[(&str, &[&str], &str)] = &[
    ("async_nats::ConnectOptions::new", &["connect"], "NATS"),
    ("async_nats::ConnectOptions::with_user_and_password", &["connect"], "NATS"),
    ("async_nats::ConnectOptions::with_token", &["connect"], "NATS"),
    (
        "redis::Client::open",
        &["get_connection", "get_async_connection", "get_multiplexed_async_connection", "get_multiplexed_tokio_connection"],
        "Redis",
    ),
    ("scylla::client::session_builder::SessionBuilder::new", &["build"], "the database"),
    ("scylla::transport::session_builder::SessionBuilder::new", &["build"], "the database"),
    ("scylla::SessionBuilder::new", &["build"], "the database"),
];
/// Settings with which a library tries again by itself.
const TRIES_AGAIN: &[&str] = &["retry_on_initial_connect", "enable_auto_recover", "with_backoff", "configure_backoff"];
/// Words in names of what repeats, or waits before.
const REPEATS: &[&str] =
    &["retry", "retries", "retrying", "attempt", "attempts", "backoff", "wait", "repeat", "reconnect", "until"];
/// Callers of callers of … are looked at this far.
const MAX_DEPTH: usize = 8;

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    if waits_before(workspace, service) {
        return;
    }
    let mut connects: Vec<(Node<'_>, &str)> = Vec::new();
    for (path, what) in CONNECTS {
        connects.extend(workspace.calls_to(path).map(|call| (call, *what)));
    }
    for (maker, methods, what) in BY_METHOD {
        for made in workspace.calls_to(maker) {
            let called = made.fate(&|name| !methods.contains(&name)).methods;
            let is = |call: &Node<'_>, names: &[&str]| call.method().is_some_and(|name| names.contains(&name));
            if !called.iter().any(|call| is(call, TRIES_AGAIN)) {
                connects.extend(called.into_iter().filter(|call| is(call, methods)).map(|call| (call, *what)));
            }
        }
    }
    for client in grpc::clients(workspace).into_iter().filter(|client| !client.is_local()) {
        // The generated `OrdersClient::connect`, with an address or an endpoint, or an endpoint's own.
        let is_clients = |call: &Node<'_>| matches!(call.path(), Some([.., owner, _]) if owner.ends_with("Client"));
        let calls = std::iter::once(client.made).chain(client.methods).chain(client.given.into_iter().filter(is_clients));
        let eager = calls.filter(|call| call.last_name() == Some("connect"));
        connects.extend(eager.map(|call| (call, "another service")));
    }
    connects.sort_by_key(|(call, _)| call.order());
    connects.dedup_by_key(|(call, _)| call.order());
    for (call, what) in connects {
        if !workspace.runs(service, call) || tries_again(call) || !ends_start(workspace, service, call, MAX_DEPTH) {
            continue;
        }
        let diagnostic = Diagnostic::new(
            format!("`{}` does not start when {what} is away for a moment", service.name),
            call.name_at(),
            "tried once, and a failure ends the process",
        )
        .help("try again with a growing pause until it is there, or connect when it is first used")
        .evidence("a loop, or a call named for retries, backoff or waiting, around it and around the calls from `main` to it")
        .evidence("a setting with which the library tries again by itself")
        .evidence("an init container that waits")
        .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

/// An init container that waits for something.
fn waits_before(workspace: &Workspace, service: &Service) -> bool {
    const WAITS: &[&str] = &["wait", "until", "isready", "nc", "ping"];
    let init =
        workspace.containers_of(service).filter_map(|(object, _)| object.pod.as_ref()).flat_map(|pod| &pod.init_containers);
    init.into_iter().any(|container| {
        let words = container.command.iter().chain(&container.arguments).map(|word| word.value.as_str());
        words.chain([container.name.value.as_str()]).any(|text| has_word(text, WAITS))
    })
}

/// A setting in its arguments, or in what they were bound to.
fn tries_again(call: Node<'_>) -> bool {
    let sets = |node: Node<'_>| node.method().is_some_and(|name| TRIES_AGAIN.contains(&name));
    call.arguments()
        .flat_map(Node::descendants)
        .any(|node| sets(node) || node.binding().is_some_and(|value| value.descendants().any(sets)))
}

/// Whether the failure of a call certainly ends the process before it serves: it is given on, or panics, all the way up to `main`.
fn ends_start(workspace: &Workspace, service: &Service, call: Node<'_>, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let outcomes = outcomes(call, depth);
    !outcomes.is_empty()
        && outcomes.into_iter().all(|outcome| {
            let (Some(function), false) = (outcome.function(), is_repeated(outcome)) else { return false };
            let taken = unwrapped(outcome);
            let panics = taken.is_some_and(|taken| taken.method().is_some());
            let given_on = taken.is_some() || is_result(outcome) || is_main(workspace, function) && ends_body(outcome);
            given_on && leads_to_end(workspace, service, function, panics, depth)
        })
}

/// Where the result of a call is at hand: what awaits it, here or in the function that it is handed to; else the call itself.
fn outcomes(call: Node<'_>, depth: usize) -> Vec<Node<'_>> {
    let (Some(parent), Some(depth)) = (call.parent(), depth.checked_sub(1)) else { return vec![call] };
    let blocks_on = |taker: Node<'_>| taker.last_name() == Some("block_on") && taker.arguments().any(|held| held.id == call.id);
    let by_name: Vec<Node<'_>> = match parent.kind() {
        ExprKind::Await(_) => return vec![parent],
        ExprKind::Call { .. } | ExprKind::Method { .. } if blocks_on(parent) => return vec![parent],
        // `select! { started = start => … }`
        ExprKind::Macro { path, arguments } if path.last().is_some_and(|name| &**name == "select") => {
            let arm = arguments.iter().skip_while(|id| **id != call.id).nth(1).map(|arm| parent.with(*arm));
            return match arm.map(|arm| (arm, arm.kind())) {
                Some((arm, ExprKind::Arm { names, body, .. })) if names.len() == 1 => {
                    arm.with(*body).descendants().filter(|node| node.variable() == Some(&*names[0])).collect()
                }
                _ => Vec::new(),
            };
        }
        ExprKind::Call { .. } | ExprKind::Method { .. } => parent.parameter_of(call).unwrap_or_default(),
        _ => call.uses(),
    };
    let found: Vec<Node<'_>> = by_name.into_iter().flat_map(|used| outcomes(used, depth)).collect();
    if found.is_empty() { vec![call] } else { found }
}

fn is_main(workspace: &Workspace, function: FunctionRef) -> bool {
    let item = workspace.function(function);
    &*item.name == "main" && item.owner.is_none()
}

/// Whether nothing is left to do after this: it stands in the last statement of its function, which awaits nothing else, and nothing
/// such as `.ok()` makes something else of it.
fn ends_body(outcome: Node<'_>) -> bool {
    if outcome.parent().is_some_and(|parent| parent.method().is_some()) {
        return false;
    }
    let (mut inner, mut statement) = (outcome, outcome);
    for ancestor in outcome.ancestors() {
        if let ExprKind::Block(statements) = ancestor.kind() {
            if statements.last() != Some(&inner.id) {
                return false;
            }
            statement = inner;
        }
        inner = ancestor;
    }
    let awaited = |node: Node<'_>| node.descendants().filter(|part| matches!(part.kind(), ExprKind::Await(_))).count();
    awaited(statement) == awaited(outcome)
}

fn leads_to_end(workspace: &Workspace, service: &Service, function: FunctionRef, panics: bool, depth: usize) -> bool {
    let item = workspace.function(function);
    if repeats(&item.name) {
        return false;
    }
    if is_main(workspace, function) {
        let binary = workspace.binary(service);
        return workspace.crates_of(function).any(|krate| Some(krate) == binary);
    }
    // `let pool = pool().await?;`: what is called so afterwards is the value. So is a parameter of that name.
    let is_parameter = |place: &Node<'_>| {
        let parameters = place.function().map(|function| &workspace.function(function).parameters);
        place.variable().is_some_and(|name| parameters.into_iter().flatten().any(|known| known.name.as_deref() == Some(name)))
    };
    let is_value = |place: &Node<'_>| place.binding().is_some() || is_parameter(place);
    let places = workspace.graph.places(workspace, &Target::Function(function)).filter(|place| !is_value(place));
    let calls = places.filter_map(|place| if matches!(place.kind(), ExprKind::Path(_)) { place.parent() } else { Some(place) });
    let mut calls = calls.filter(|call| workspace.runs(service, *call)).peekable();
    calls.peek().is_some()
        && calls.all(|call| match panics {
            _ if !is_call_of(call, function) => false,
            false => ends_start(workspace, service, call, depth),
            true => {
                let caller = call.function().filter(|_| !is_repeated(call)).zip(depth.checked_sub(1));
                caller.is_some_and(|(caller, depth)| leads_to_end(workspace, service, caller, true, depth))
            }
        })
}

/// Not a function that is handed on, to be called by who knows whom.
fn is_call_of(call: Node<'_>, function: FunctionRef) -> bool {
    match call.kind() {
        ExprKind::Call { .. } => call.definition() == Definition::Function(function),
        ExprKind::Method { name, .. } => *name == call.workspace.function(function).name,
        _ => false,
    }
}

/// The value of the function: its caller gets the failure.
fn is_result(awaited: Node<'_>) -> bool {
    let mut node = awaited;
    while let Some(parent) = node.parent() {
        match parent.kind() {
            ExprKind::Block(statements) if statements.last() == Some(&node.id) => {}
            ExprKind::Method { receiver, name, .. }
                if *receiver == node.id && matches!(&**name, "map_err" | "context" | "with_context" | "map") => {}
            ExprKind::Return(_) => return true,
            _ => return false,
        }
        node = parent;
    }
    true
}

/// `wait_until_ready`, `connect_with_retry`; not `serve_until`, which serves until it is told to stop.
fn repeats(name: &str) -> bool {
    let rest = ["serve_until", "run_until"].iter().find_map(|serving| name.strip_prefix(serving));
    has_word(rest.unwrap_or(name), REPEATS)
}

/// Whether a loop or a call named for it repeats this, or it runs where a failure does not end `main`: in a task, a closure.
fn is_repeated(call: Node<'_>) -> bool {
    let above = |node: Node<'_>| match node.kind() {
        ExprKind::Loop(_) | ExprKind::While { .. } | ExprKind::For { .. } | ExprKind::Closure { .. } => true,
        ExprKind::Async(_) => node.parent().and_then(Node::last_name) != Some("block_on"),
        ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Macro { .. } => node.last_name().is_some_and(repeats),
        _ => false,
    };
    call.ancestors().any(above)
}

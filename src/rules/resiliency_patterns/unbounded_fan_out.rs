use super::requests::per_request_functions;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// One request starts as many calls at once as its caller likes.
    ///
    /// ## Why is this bad?
    /// A caller that sends ten thousand ids starts ten thousand calls at the same time. They take all connections of the pool and all
    /// patience of the service behind, and every other request waits.
    ///
    /// ## Example
    /// ```rust
    /// async fn prices(Json(items): Json<Vec<Item>>) -> Json<Vec<Price>> {
    ///     Json(join_all(items.iter().map(price)).await)
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn prices(Json(items): Json<Vec<Item>>) -> Json<Vec<Price>> {
    ///     Json(stream::iter(items).map(price).buffered(8).collect().await)
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - what is joined does not come from a parameter of the function: arrays, configuration, fields of `self`;
    /// - it is cut (`take`, `chunks`), the function compares a `len()` with something, takes permits (`acquire`, `Semaphore`) or a `buffered` stream;
    /// - no handler of a route, and no RPC method, certainly calls the function, directly or through at most two calls;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// futures 0.3 `src/future/join_all.rs`: all futures are polled at once; `src/stream/stream/for_each_concurrent.rs`: "no limit" for `None`.
    "unbounded-fan-out", "MSVC610", Practice::ResiliencyPatterns, Level::Warn, Tier::Auditor, Check::Service(check)
}

const JOINS: &[&str] = &[
    "futures::future::join_all",
    "futures::future::try_join_all",
    "futures_util::future::join_all",
    "futures_util::future::try_join_all",
];
const BOUNDS: &[&str] = &["take", "chunks", "acquire", "acquire_owned", "buffered", "buffer_unordered", "Semaphore"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let joins = JOINS.iter().flat_map(|path| workspace.calls_to(path)).filter_map(|call| Some((call, call.arguments().next()?)));
    let streams = ["for_each_concurrent", "try_for_each_concurrent"].into_iter().flat_map(|name| workspace.methods(name));
    let unlimited = |call: &Node<'_>| call.arguments().next().is_some_and(|limit| limit.variable() == Some("None"));
    let streams = streams.filter(unlimited).filter_map(|call| Some((call, call.receiver()?)));
    let tasks = workspace.named("spawn").filter(|call| starts_task(*call)).filter_map(|call| Some((call, repeated_for(call)?)));
    let sets =
        workspace.methods("collect").filter(|call| is_set_of_futures(*call)).filter_map(|call| Some((call, call.receiver()?)));
    let mut per_request = None;
    for (call, over) in joins.chain(streams).chain(tasks).chain(sets).filter(|(call, _)| workspace.runs(service, *call)) {
        let Some(function) = call.function().filter(|_| is_parameters(over)) else { continue };
        let found = per_request.get_or_insert_with(|| per_request_functions(workspace, service, &|_| true));
        if !found.contains_key(&function) || workspace.body(function).is_some_and(is_bounded) {
            continue;
        }
        let diagnostic = Diagnostic::new("one request starts any number of calls at once", call.name_at(), "as many as the caller sends")
            .help("run a few at a time: `stream::iter(…).map(…).buffered(8)`, or take a permit of a semaphore for each; and limit the input")
            .evidence("`take`, `chunks`, `buffered` or a semaphore in this function")
            .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

/// `tokio::spawn(…)`, and `tasks.spawn(…)` of a `JoinSet`.
fn starts_task(call: Node<'_>) -> bool {
    match call.receiver() {
        Some(tasks) => tasks.binding().and_then(Node::external).is_some_and(|path| path == "tokio::task::JoinSet::new"),
        None => call.external().is_some_and(|path| path == "tokio::spawn" || path == "tokio::task::spawn"),
    }
}

/// What a `for` around a call goes over, or a `map`.
fn repeated_for(call: Node<'_>) -> Option<Node<'_>> {
    call.ancestors().find_map(|node| match node.kind() {
        ExprKind::For { over, .. } => Some(node.with(*over)),
        ExprKind::Closure { .. } => node.parent().filter(|taker| matches!(taker.method(), Some("map" | "for_each")))?.receiver(),
        _ => None,
    })
}

/// `let asked: FuturesUnordered<_> = ids.map(ask).collect();`
fn is_set_of_futures(collect: Node<'_>) -> bool {
    let bound = collect.parent().map(Node::kind);
    matches!(bound, Some(ExprKind::Let { ty: Some(ty), .. }) if ty.name() == Some("FuturesUnordered"))
}

/// Whether a chain of methods begins with a parameter of the function, or a field of one.
fn is_parameters(over: Node<'_>) -> bool {
    let mut node = over.peel();
    for _ in 0..32 {
        node = match (node.kind(), node.receiver(), node.binding()) {
            (ExprKind::Field { base, .. }, ..) => node.with(*base),
            (_, Some(receiver), _) => receiver,
            (_, None, Some(value)) => value,
            (ExprKind::Call { .. }, ..) if node.last_name() == Some("iter") => match node.arguments().next() {
                Some(argument) => argument,
                None => return false,
            },
            _ => break,
        }
        .peel();
    }
    let Some((name, function)) = node.variable().zip(node.function()) else { return false };
    let parameters = &node.workspace.function(function).parameters;
    name != "self" && parameters.iter().any(|parameter| parameter.name.as_deref() == Some(name))
}

fn is_bounded(body: Node<'_>) -> bool {
    let named = |node: Node<'_>| {
        node.method().is_some_and(|name| BOUNDS.contains(&name))
            || node.path().is_some_and(|path| path.iter().any(|name| BOUNDS.contains(&&**name)))
    };
    // `if ids.len() > MAX`
    let counts = |node: Node<'_>| node.descendants().any(|part| part.method() == Some("len"));
    body.descendants().any(|node| named(node) || matches!(node.kind(), ExprKind::Binary { .. }) && counts(node))
}

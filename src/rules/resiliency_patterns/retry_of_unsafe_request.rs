use super::attempts::{attempts_around, awaited, goes_on};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

crate::declare_rule! {
    /// A request that changes something is repeated, and its receiver cannot tell.
    ///
    /// ## Why is this bad?
    /// A request that failed may have been carried out: the answer was lost, or came too late. Sent again it is carried out again: two
    /// orders, two payments. A key that stays the same from attempt to attempt lets the receiver answer the second as the first.
    ///
    /// ## Example
    /// ```rust
    /// for attempt in 0..3 {
    ///     if let Ok(answer) = client.post(url).json(&payment).send().await { return Ok(answer); }
    ///     sleep(backoff(attempt)).await;
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let key = Uuid::new_v4().to_string();
    /// for attempt in 0..3 {
    ///     let request = client.post(url).header("Idempotency-Key", &key).json(&payment);
    ///     if let Ok(answer) = request.send().await { return Ok(answer); }
    ///     sleep(backoff(attempt)).await;
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - the function speaks of idempotency, in a header, a name or a field;
    /// - the path is one for reading, by its name: `search`, `query`, `graphql`, `token`, `rpc`;
    /// - it is no `POST` or `PATCH`: `GET`, `PUT` and `DELETE` may be repeated by their definition;
    /// - the loop does not count attempts, or a failure leaves it;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// RFC 9110, 9.2.2: "A client SHOULD NOT automatically retry a request with a non-idempotent method". RFC 5789: `PATCH` is not idempotent.
    "retry-of-unsafe-request", "MSVC612", Practice::ResiliencyPatterns, Level::Warn, Tier::Auditor, Check::Workspace(check)
}

/// Words of a path whose `POST` changes nothing that counts.
const READING: &[&str] = &["search", "query", "graphql", "token", "rpc", "login", "auth", "validate", "lookup"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for method in ["post", "patch", "request"] {
        for request in workspace.methods(method) {
            let Some(verb) = verb(request) else { continue };
            if matches!(request.receiver().map(Node::ty), Some(Definition::Type(_)) | None) {
                continue;
            }
            let sent = request.fate(&|name| name != "send").methods.into_iter().filter(|sent| sent.method() == Some("send"));
            let loops = sent
                .flat_map(awaited)
                .filter_map(Node::parent)
                .find_map(|awaited| attempts_around(awaited).filter(|attempts| goes_on(awaited, *attempts)));
            let Some(attempts) = loops.or_else(|| repeated(request)) else { continue };
            let Some(service) = workspace.run_by(request) else { continue };
            let body = request.function().and_then(|function| workspace.body(function)).unwrap_or(attempts);
            // `async fn query_once(…)`
            let name = request.function().map(|function| workspace.function(function).name.to_ascii_lowercase());
            let reads = name.is_some_and(|name| READING.iter().any(|word| name.contains(word)));
            if reads || says(body, &["idempot"]) || request.arguments().any(|url| says(url, READING)) {
                continue;
            }
            let diagnostic = Diagnostic::new(
                format!("this `{verb}` is repeated after a failure"),
                request.name_at(),
                "may be carried out twice",
            )
            .help("send a key with it that is the same for all attempts (`Idempotency-Key`), and have the receiver remember it")
            .evidence("a header, a name or a field that speaks of idempotency, in this function")
            .confidence(Confidence::Medium)
            .service(&service.name);
            out.push(diagnostic);
        }
    }
}

/// `POST` or `PATCH`, of a method that begins such a request.
fn verb(request: Node<'_>) -> Option<&'static str> {
    let arguments: Vec<Node<'_>> = request.arguments().collect();
    match (request.method()?, &arguments[..]) {
        ("post", [_]) => Some("POST"),
        ("patch", [_]) => Some("PATCH"),
        ("request", [method, _]) => match method.path()?.last().map(|name| &**name) {
            Some("POST") => Some("POST"),
            Some("PATCH") => Some("PATCH"),
            _ => None,
        },
        _ => None,
    }
}

/// The closure around a request that a library calls again after a failure.
fn repeated(request: Node<'_>) -> Option<Node<'_>> {
    const REPEATERS: &[&str] = &["tokio_retry::Retry::spawn", "tokio_retry2::Retry::spawn", "backoff::future::retry"];
    let closure = request.ancestors().find(|node| matches!(node.kind(), ExprKind::Closure { .. }))?;
    let by_method = |method: &Node<'_>| method.method() == Some("retry");
    let by_call = |taker: &Node<'_>| taker.external().is_some_and(|path| REPEATERS.contains(&path));
    let fate = closure.fate(&|_| false);
    (fate.methods.iter().any(by_method) || fate.given.iter().any(by_call)).then_some(closure)
}

/// Whether a text or a name in this expression has one of these words.
fn says(node: Node<'_>, words: &[&str]) -> bool {
    let has = |text: &str| {
        let text = text.to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    node.descendants().any(|part| match part.kind() {
        ExprKind::Literal(Literal::Str(text)) => has(text),
        ExprKind::Path(path) => path.iter().any(|name| has(name)),
        ExprKind::Field { name, .. } | ExprKind::Method { name, .. } => has(name),
        _ => false,
    })
}

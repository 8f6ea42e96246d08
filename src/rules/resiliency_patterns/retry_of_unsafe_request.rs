use super::attempts::{attempts_around, goes_on};
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
    "retry-of-unsafe-request", "MSVC612", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Words of a path whose `POST` changes nothing that counts.
const READING: &[&str] = &["search", "query", "graphql", "token", "rpc", "login", "auth", "validate", "lookup"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for method in ["post", "patch"] {
        for request in workspace.methods(method).filter(|request| request.arguments().count() == 1) {
            if matches!(request.receiver().map(Node::ty), Some(Definition::Type(_)) | None) {
                continue;
            }
            let sent = request.ancestors().take_while(|node| !matches!(node.kind(), ExprKind::Await(_))).last();
            let Some(sent) = sent.filter(|sent| sent.method() == Some("send")) else { continue };
            let Some(awaited) = sent.parent() else { continue };
            let Some(attempts) = attempts_around(awaited).filter(|attempts| goes_on(awaited, *attempts)) else { continue };
            let Some(service) = workspace.run_by(request) else { continue };
            let body = request.function().and_then(|function| workspace.body(function)).unwrap_or(attempts);
            if says(body, &["idempot"]) || request.arguments().any(|url| says(url, READING)) {
                continue;
            }
            let verb = method.to_uppercase();
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

use super::attempts::{attempts_around, awaited, goes_on, handed_over, may_end};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

crate::declare_rule! {
    /// A failed call is repeated at once, without a pause.
    ///
    /// ## Why is this bad?
    /// What failed because it was overloaded gets the same call again at once, from every caller at the same time: the retries
    /// are the load that keeps it down. And an outage of a second is over before the attempts have waited for it.
    ///
    /// ## Example
    /// ```rust
    /// for attempt in 0..3 {
    ///     match client.get(url).send().await {
    ///         Ok(answer) => return Ok(answer),
    ///         Err(error) => tracing::warn!(%error, attempt, "failed"),
    ///     }
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// for attempt in 0..3 {
    ///     match client.get(url).send().await {
    ///         Ok(answer) => return Ok(answer),
    ///         Err(error) => tracing::warn!(%error, attempt, "failed"),
    ///     }
    ///     let pause = Duration::from_millis(100 << attempt);
    ///     tokio::time::sleep(pause.mul_f64(rand::random())).await;
    /// }
    /// ```
    /// Better still, a policy with exponential backoff, jitter and a budget: `backon`, tower's `retry`.
    ///
    /// ## Not reported when
    /// - something in the loop is named for a pause: `sleep`, `backoff`, `delay`, `interval`, `tick`, `wait`, `pause`, `timeout`, `recv`;
    /// - the loop does not count attempts: nothing in it is named for attempts, retries or tries;
    /// - the call goes somewhere else each time: the loop goes over endpoints;
    /// - a failure leaves the loop, or nothing does before its last round;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// AWS Builders' Library, "Timeouts, retries, and backoff with jitter"; Google SRE book, "Addressing Cascading Failures": "Always use
    /// randomized exponential backoff when scheduling retries".
    "naive-retry", "MSVC611", Practice::ResiliencyPatterns, Level::Warn, Tier::Default, Check::Workspace(check)
}

/// Methods that go over the network: reqwest, gRPC and database drivers have these names for it.
const CALLS: &[&str] = &[
    "send",
    "execute",
    "connect",
    "fetch_one",
    "fetch_all",
    "fetch_optional",
    "query_async",
    "publish",
    "basic_publish",
    "request",
];
const PAUSES: &[&str] = &[
    "sleep",
    "backoff",
    "delay",
    "interval",
    "tick",
    "wait",
    "pause",
    "timeout",
    "recv",
    "yield_now",
    "notified",
    "jitter",
    "next",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut seen = Vec::new();
    for name in CALLS {
        let remote = workspace.named(name).filter(|call| !is_local(*call));
        for call in remote.flat_map(|call| awaited(call).chain(handed_over(call))) {
            let Some(awaited) = call.parent() else { continue };
            let Some(attempts) = attempts_around(awaited) else { continue };
            let called = match call.definition() {
                Definition::Function(function) => workspace.body(function),
                _ => None,
            };
            if called.is_some_and(pauses) {
                continue;
            }
            // `let client = self.current_client();`: each round may go somewhere else.
            let bound = call.receivers().last().and_then(|on| on.peel().binding());
            let goes_elsewhere = bound.is_some_and(|value| value.ancestors().any(|around| around.id == attempts.id));
            if seen.contains(&(attempts.file, attempts.id))
                || goes_elsewhere
                || pauses(attempts)
                || !goes_on(awaited, attempts)
                || !may_end(attempts)
            {
                continue;
            }
            let Some(service) = workspace.run_by(call) else { continue };
            seen.push((attempts.file, attempts.id));
            let diagnostic = Diagnostic::new("a failed call is repeated at once", call.name_at(), "repeated without a pause")
                .help("wait before the next attempt, longer each time and by a random part of it: `backon`, or tower's `retry` with a budget")
                .evidence("a call in the loop that is named for a pause, a backoff, an interval or a timeout")
                .confidence(Confidence::Medium)
                .service(&service.name);
            out.push(diagnostic);
        }
    }
}

/// A channel's `send`, and what else does not leave the process.
fn is_local(call: Node<'_>) -> bool {
    if call.method() != Some("send") {
        return call.method().is_none() && call.external().is_none_or(|path| path.starts_with("std::"));
    }
    // A request is sent without arguments; a message is not.
    call.arguments().next().is_some()
}

fn pauses(attempts: Node<'_>) -> bool {
    attempts.descendants().any(|node| {
        let is_pause = |name: &str| {
            let name = name.to_ascii_lowercase();
            PAUSES.iter().any(|word| name.contains(word))
        };
        match node.kind() {
            ExprKind::Path(path) => path.iter().any(|name| is_pause(name)),
            ExprKind::Method { name, .. } | ExprKind::Field { name, .. } => is_pause(name),
            ExprKind::Macro { path, .. } => path.last().is_some_and(|name| is_pause(name)),
            _ => false,
        }
    })
}

use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

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
    /// - a failure leaves the loop;
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
        for call in workspace.named(name) {
            let awaited = call.parent().filter(|parent| matches!(parent.kind(), ExprKind::Await(_)));
            let Some(awaited) = awaited.filter(|_| !is_local(call)) else { continue };
            let Some(attempts) = attempts_around(awaited) else { continue };
            if seen.contains(&(attempts.file, attempts.id)) || pauses(attempts) || !goes_on(awaited, attempts) {
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

/// The loop around a call that counts attempts.
fn attempts_around(call: Node<'_>) -> Option<Node<'_>> {
    for node in call.ancestors() {
        match node.kind() {
            ExprKind::Closure { .. } | ExprKind::Async(_) => return None,
            ExprKind::Loop(_) => return Some(node).filter(|node| node.descendants().any(counts)),
            ExprKind::While { condition, .. } => {
                return Some(node).filter(|node| node.with(*condition).descendants().any(counts));
            }
            ExprKind::For { names, over, .. } => {
                // `0..3`
                let first = node.with(*over).children().next();
                let is_range = first.is_some_and(|first| matches!(first.kind(), ExprKind::Literal(Literal::Int(_))));
                let counted = names.iter().any(|name| is_count(name)) || node.with(*over).descendants().any(counts);
                return Some(node).filter(|_| is_range && counted);
            }
            _ => {}
        }
    }
    None
}

fn counts(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Path(path) => path.last().is_some_and(|name| is_count(name)),
        ExprKind::Field { name, .. } => is_count(name),
        _ => false,
    }
}

fn is_count(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["attempt", "retry", "retries", "tries"].iter().any(|word| name.contains(word))
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

/// Whether a failure leads to the next round: `?` on the call leaves the loop, and so does an arm that always does.
fn goes_on<'w>(call: Node<'w>, attempts: Node<'w>) -> bool {
    let mut node = call;
    for parent in call.ancestors().take_while(|parent| parent.id != attempts.id) {
        match parent.kind() {
            ExprKind::Try(_) => return false,
            ExprKind::Match { on, arms } if *on == node.id => {
                let failing = arms.iter().map(|arm| parent.with(*arm)).find(|arm| is_failure(*arm));
                return failing.is_none_or(|arm| !always_leaves(arm));
            }
            ExprKind::Method { name, .. } if matches!(&**name, "unwrap" | "expect") => return false,
            _ => {}
        }
        node = parent;
    }
    true
}

fn is_failure(arm: Node<'_>) -> bool {
    matches!(arm.kind(), ExprKind::Arm { variant, .. } if variant.last().is_some_and(|name| &**name == "Err"))
}

/// The last thing an arm does is to leave, whatever came before.
fn always_leaves(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Arm { body, .. } => always_leaves(node.with(*body)),
        ExprKind::Block(statements) => statements.last().is_some_and(|last| always_leaves(node.with(*last))),
        ExprKind::Return(_) => true,
        ExprKind::Macro { path, .. } => path.last().is_some_and(|name| matches!(&**name, "bail" | "panic" | "unreachable")),
        ExprKind::If { then, otherwise: Some(otherwise), .. } => {
            always_leaves(node.with(*then)) && always_leaves(node.with(*otherwise))
        }
        // `break` is just its parts.
        ExprKind::Other(_) => true,
        _ => false,
    }
}

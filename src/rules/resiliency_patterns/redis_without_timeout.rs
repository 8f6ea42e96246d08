use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::libraries::version;
use crate::rules::time_limit::{is_bounded, names_limit};
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::{Node, hands_on};
use crate::workspace::rust::ExprKind;

crate::declare_rule! {
    /// Commands to Redis wait for answers without a limit.
    ///
    /// ## Why is this bad?
    /// A Redis that hangs, or a connection that died without a word, stops every request that asks the cache: what was there to
    /// make the service faster takes it down.
    ///
    /// ## Example
    /// ```rust
    /// let client = redis::Client::open(url)?;
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let config = redis::AsyncConnectionConfig::new().set_connection_timeout(connect).set_response_timeout(answer);
    /// let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    /// ```
    /// or redis 1, which gives up after 500 ms by itself.
    ///
    /// ## Not reported when
    /// - redis is 1.0 or later, by Cargo.lock: connecting ends after 1 s, a command after 500 ms;
    /// - the connection is made with a configuration, with timeouts, or `set_response_timeout` is called on it, in any function that it
    ///   passes through;
    /// - every command that is seen stands in a `timeout(…)`;
    /// - the connection is a blocking one, of a pool, or for subscriptions;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// redis 0.27 and 0.32 `src/aio/connection_manager.rs`: `DEFAULT_RESPONSE_TIMEOUT: Option<Duration> = None`; 0.25 and 0.32
    /// cluster client: `response_timeout.unwrap_or(Duration::MAX)`; 1.8 `src/client.rs`: `Some(Duration::from_millis(500))`.
    "redis-without-timeout", "MSVC606", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Methods that make a connection with the defaults. Their names are redis's alone.
const CONNECTS: &[&str] = &[
    "get_multiplexed_async_connection",
    "get_multiplexed_tokio_connection",
    "get_async_connection",
    "get_tokio_connection",
    "get_connection_manager",
    "get_tokio_connection_manager",
];
const MANAGERS: &[&str] = &["redis::aio::ConnectionManager::new", "redis::aio::ConnectionManager::new_with_backoff"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let methods = CONNECTS.iter().flat_map(|name| workspace.methods(name));
    let own = |call: &Node<'_>| call.receiver().is_some_and(|on| matches!(on.ty(), Definition::Type(_)));
    let calls = methods.filter(|call| !own(call)).chain(MANAGERS.iter().flat_map(|path| workspace.calls_to(path)));
    for call in calls {
        let Some(redis) = version(call, "redis").filter(|version| version.major == 0) else { continue };
        let Some(service) = workspace.run_by(call) else { continue };
        let fate = call.fate(&|_| false);
        let named = |node: &Node<'_>| node.last_name().is_some_and(names_limit);
        if fate.methods.iter().chain(&fate.given).any(named) || made_with_limit(call) {
            continue;
        }
        let is_command =
            |node: &&Node<'_>| !node.method().is_some_and(hands_on) && !matches!(node.kind(), ExprKind::Macro { .. });
        let commands: Vec<_> = fate.methods.iter().chain(&fate.given).filter(is_command).collect();
        let unbounded = commands.iter().find(|command| !is_bounded(***command));
        if !commands.is_empty() && unbounded.is_none() {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            "commands on this Redis connection wait without a limit",
            call.name_at(),
            "has no timeout",
        )
        .help(format!(
            "make it with a configuration that sets a response timeout, or go from redis {redis} to 1, which has one by default"
        ))
        .evidence("`set_response_timeout`, or a connection made with timeouts or a configuration")
        .evidence("a `timeout(…)` around each command")
        .confidence(if unbounded.is_some() { Confidence::High } else { Confidence::Medium })
        .service(&service.name);
        if let Some(command) = unbounded {
            diagnostic = diagnostic.related(command.name_at(), "this command may wait for ever");
        }
        out.push(diagnostic);
    }
}

/// Whether the client itself was built with a limit, as cluster clients are.
fn made_with_limit(call: Node<'_>) -> bool {
    let sets = |node: Node<'_>| node.method().is_some_and(|name| name.contains("timeout"));
    let sources = call.receiver().into_iter().chain(call.arguments());
    sources
        .flat_map(Node::descendants)
        .any(|node| sets(node) || node.binding().is_some_and(|value| value.descendants().any(sets)))
}

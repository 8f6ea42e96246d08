use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::time_limit::is_bounded;
use crate::workspace::Workspace;
use crate::workspace::query::Node;

crate::declare_rule! {
    /// Connecting to a message broker has no time limit.
    ///
    /// ## Why is this bad?
    /// A broker that accepts the connection and says nothing, as one does that is out of memory or starting, holds whoever connects
    /// for ever: the start of the service, or a consumer that was to come back after a failure.
    ///
    /// ## Example
    /// ```rust
    /// let connection = lapin::Connection::connect(&url, ConnectionProperties::default()).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let connecting = lapin::Connection::connect(&url, ConnectionProperties::default());
    /// let connection = tokio::time::timeout(limit, connecting).await??;
    /// ```
    ///
    /// ## Not reported when
    /// - it stands in a `timeout(…)` or in a `select!` with a sleep, in its own function or around all calls of it;
    /// - the URL that is written down has a `connection_timeout`;
    /// - the client has a limit of its own by default: async-nats (5 s), rumqttc, Kafka and Pulsar clients;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// amq-protocol-tcp 10.6 `src/lib.rs`, which lapin 4 connects through: a limit only where the URL has `connection_timeout`.
    "broker-connect-without-timeout", "MSVC625", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

const CONNECTS: &[&str] = &[
    "lapin::Connection::connect",
    "lapin::Connection::connect_uri",
    "lapin::Connection::connect_with_config",
    "lapin::Connection::connect_uri_with_config",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for call in CONNECTS.iter().flat_map(|path| workspace.calls_to(path)) {
        let Some(service) = workspace.run_by(call) else { continue };
        let says = |node: Node<'_>| node.text().is_some_and(|text| text.contains("connection_timeout"));
        let in_url = call.arguments().any(|argument| {
            argument.descendants().any(|node| says(node) || node.binding().is_some_and(|value| value.descendants().any(says)))
        });
        if in_url || is_bounded(call) {
            continue;
        }
        let diagnostic = Diagnostic::new("connecting to the broker has no time limit", call.name_at(), "may wait for ever")
            .help("wrap it in `tokio::time::timeout(limit, …)`; `connection_timeout` in the URL limits only the first part")
            .evidence("a `timeout(…)` or a `select!` with a sleep, here and around all calls of this function")
            .evidence("`connection_timeout` in a URL that is written down; one from the environment is not to be seen")
            .confidence(Confidence::Medium)
            .service(&service.name);
        out.push(diagnostic);
    }
}

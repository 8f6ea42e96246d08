use super::grpc;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::query::Node;

crate::declare_rule! {
    /// A gRPC client reads a stream over a connection that nothing keeps alive.
    ///
    /// ## Why is this bad?
    /// A stream that waits for its next message sends nothing. When the peer or a load balancer in between drops the connection
    /// without a word, the client waits for a message that never comes, for ever, and nobody notices.
    ///
    /// ## Example
    /// ```rust
    /// let channel = Endpoint::from_shared(address)?.connect().await?;
    /// let mut changes = StockClient::new(channel).watch(request).await?.into_inner();
    /// while let Some(change) = changes.message().await? { … }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let endpoint = Endpoint::from_shared(address)?.http2_keep_alive_interval(Duration::from_secs(30));
    /// let channel = endpoint.keep_alive_timeout(Duration::from_secs(10)).connect().await?;
    /// ```
    ///
    /// ## Not reported when
    /// - the endpoint sets `http2_keep_alive_interval` or `tcp_keepalive`, also where a helper does;
    /// - no answer of the client is seen to be read message by message;
    /// - it has a connector of its own, or its address is written down as this machine's;
    /// - no service runs it: tools, subcommands, tests, examples, generated code.
    ///
    /// ## Source
    /// tonic 0.12 and 0.14 `src/transport/channel/endpoint.rs`: `http2_keep_alive_interval: None`, `tcp_keepalive: None`.
    /// [gRPC: Keepalive](https://grpc.io/docs/guides/keepalive/)
    "grpc-client-without-keepalive", "MSVC603", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for client in grpc::clients(workspace) {
        let Some(service) = workspace.run_by(client.made) else { continue };
        let kept = |method: &Node<'_>| {
            method.method().is_some_and(|name| name.contains("keep_alive_interval") || name == "tcp_keepalive")
        };
        if client.is_local() || client.has_own_connector() || client.methods.iter().any(kept) {
            continue;
        }
        let read = client.calls().filter(|call| workspace.run_by(*call).is_some()).find_map(reads_messages);
        let Some(read) = read else { continue };
        let mut diagnostic = Diagnostic::new(
            "this gRPC client reads a stream and keeps no connection alive",
            client.made.name_at(),
            "has no keepalive",
        )
        .related(read.name_at(), "this message may never come")
        .help("build its endpoint with `.http2_keep_alive_interval(interval).keep_alive_timeout(limit)`")
        .evidence("`http2_keep_alive_interval` or `tcp_keepalive` on the endpoint, through helpers and fields of the workspace")
        .service(&service.name);
        if let Some(endpoint) = client.endpoint {
            let text = ".http2_keep_alive_interval(std::time::Duration::from_secs(30)).keep_alive_timeout(std::time::Duration::from_secs(10))";
            diagnostic = diagnostic.fix(Fix::unsafe_("ask every 30 s whether the peer is there").after(endpoint.at(), text));
        }
        out.push(diagnostic);
    }
}

/// Where the answer of a call is read as a stream: by tonic's `Streaming::message`, or as any stream is.
fn reads_messages(call: Node<'_>) -> Option<Node<'_>> {
    let is_message = |method: &Node<'_>| {
        matches!(method.method(), Some("message" | "next" | "try_next")) && method.arguments().next().is_none()
    };
    call.fate(&|name| name == "into_inner").methods.into_iter().find(is_message)
}

use super::grpc::{self, call_is_bounded};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::Workspace;

crate::declare_rule! {
    /// A gRPC client waits for answers without a limit.
    ///
    /// ## Why is this bad?
    /// A server that accepts the call and never answers holds the caller's request, its memory and its place in every limit. A
    /// connection that died without a word does the same. Under load one dead service takes its callers with it.
    ///
    /// ## Example
    /// ```rust
    /// let channel = Endpoint::from_shared(address)?.connect_lazy();
    /// let stock = StockClient::new(channel).get(request).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let channel = Endpoint::from_shared(address)?.connect_timeout(connect).timeout(total).connect_lazy();
    /// let stock = StockClient::new(channel).get(request).await?;
    /// ```
    /// In place of `StockClient::connect(address)`: `StockClient::new(channel)` with such a channel.
    ///
    /// ## Not reported when
    /// - the endpoint sets `timeout`, also where a helper in another crate does, or a setting decides;
    /// - the channel is wrapped in something named for a timeout: tower's `Timeout::new`, `ServiceBuilder::new().timeout(…)`;
    /// - an interceptor or the calling function sets a deadline (`Request::set_timeout`, `grpc-timeout`);
    /// - every call stands in `tokio::time::timeout(…)` or in a `select!` with a sleep, also when the caller puts it there;
    /// - no call is made with it that can be seen, it has a connector of its own, or its address is written down as this machine's;
    /// - no service runs it: tools, subcommands, tests, examples, generated code.
    ///
    /// ## Source
    /// tonic 0.12 and 0.14 `src/transport/channel/endpoint.rs`: `timeout: None`, `connect_timeout: None`.
    /// [gRPC: Deadlines](https://grpc.io/docs/guides/deadlines/): "By default, gRPC does not set a deadline".
    "grpc-client-without-timeout", "MSVC602", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for client in grpc::clients(workspace) {
        let Some(service) = workspace.run_by(client.made) else { continue };
        if client.is_local() || client.has_own_connector() || client.has_timeout() {
            continue;
        }
        let unbounded = client.calls().find(|call| workspace.run_by(*call).is_some() && !call_is_bounded(*call));
        let Some(call) = unbounded else { continue };
        let mut diagnostic =
            Diagnostic::new("a gRPC client waits for answers without a limit", client.made.name_at(), "has no timeout")
                .related(call.name_at(), "this call may wait for ever")
                .help("build its endpoint with `.timeout(limit)`, and `.connect_timeout(limit)`")
                .evidence("`timeout` on the endpoint, through helpers and fields of the workspace")
                .evidence("a layer, wrapper or interceptor around the channel that is named for a timeout or sets a deadline")
                .evidence(
                    "`set_timeout` in the calling function, a `timeout(…)` around the call or around all calls of that function",
                )
                .service(&service.name);
        if let Some(endpoint) = client.endpoint {
            let fix = Fix::unsafe_("give up on a call after 5 s");
            diagnostic = diagnostic.fix(fix.after(endpoint.at(), ".timeout(std::time::Duration::from_secs(5))"));
        }
        out.push(diagnostic);
    }
}

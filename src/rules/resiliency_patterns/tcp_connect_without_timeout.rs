use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::paths;
use crate::rules::time_limit::is_bounded;
use crate::rules::values::names_this_machine;
use crate::workspace::Workspace;
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

crate::declare_rule! {
    /// A TCP connection is opened without a limit on the wait.
    ///
    /// ## Why is this bad?
    /// A host that drops packets answers nothing. The kernel tries for about two minutes before it gives up, and the request that
    /// waits for the connection with it.
    ///
    /// ## Example
    /// ```rust
    /// let stream = TcpStream::connect(address).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let stream = tokio::time::timeout(limit, TcpStream::connect(address)).await??;
    /// ```
    ///
    /// ## Not reported when
    /// - it stands in a `timeout(…)` or in a `select!` with a sleep, in its own function or around all calls of it;
    /// - it is handed to something named for a timeout, or is the connector of a client, which may have a limit of its own;
    /// - the address is written down as this machine's;
    /// - no service runs it: tools, subcommands (also by the path of their file), tests, examples.
    ///
    /// ## Source
    /// tokio 1 `src/net/tcp/stream.rs`: `connect` waits for the socket to be writable, with no timer. tcp(7): `tcp_syn_retries` is 6, "approximately
    /// 127 seconds".
    "tcp-connect-without-timeout", "MSVC607", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    // `let socket = TcpSocket::new_v4()?; socket.connect(address)`
    let by_socket = |call: &Node<'_>| {
        let socket = call.receiver().map(|on| on.binding().unwrap_or(on).peel());
        socket.and_then(Node::external).is_some_and(|path| path.starts_with("tokio::net::TcpSocket::new_v"))
    };
    let sockets = workspace.methods("connect").filter(by_socket);
    for call in workspace.calls_to("tokio::net::TcpStream::connect").chain(sockets) {
        let Some(service) = workspace.run_by(call) else { continue };
        if paths::is_command(call) || is_local(call) || is_bounded(call) || is_handed_to_limit(call) {
            continue;
        }
        let mut diagnostic =
            Diagnostic::new("this connection attempt has no time limit", call.name_at(), "may wait for two minutes")
                .help("wrap it: `tokio::time::timeout(limit, TcpStream::connect(address)).await`")
                .evidence("a `timeout(…)` or a `select!` with a sleep, here and around all calls of this function")
                .service(&service.name);
        if let Some(handed_on) = handed_on(call) {
            let fix = Fix::unsafe_("give up after 2 s");
            let fix = fix.before(call.at(), "tokio::time::timeout(std::time::Duration::from_secs(2), ").after(call.at(), ")");
            diagnostic = diagnostic.fix(fix.after(handed_on.at(), "?"));
        }
        out.push(diagnostic);
    }
}

/// Something around it is named for a timeout of connecting, or connects for a client that has its own.
fn is_handed_to_limit(call: Node<'_>) -> bool {
    call.ancestors().filter_map(Node::last_name).any(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("timeout") || name.starts_with("connect_with_connector") || name == "service_fn"
    })
}

fn is_local(call: Node<'_>) -> bool {
    call.arguments().flat_map(Node::descendants).any(|node| {
        node.text().is_some_and(names_this_machine)
            || node.path().is_some_and(|path| path.iter().any(|name| &**name == "LOCALHOST"))
    })
}

/// `connect(…).await?` in a function whose error takes that of the timeout, too.
fn handed_on(call: Node<'_>) -> Option<Node<'_>> {
    let awaited = call.parent().filter(|parent| matches!(parent.kind(), ExprKind::Await(_)))?;
    let handed_on = awaited.parent().filter(|parent| matches!(parent.kind(), ExprKind::Try(_)))?;
    takes_any_error(call.workspace, call.function()?).then_some(handed_on)
}

/// tokio's `Elapsed` becomes an `io::Error`, and whatever takes every error.
fn takes_any_error(workspace: &Workspace, function: FunctionRef) -> bool {
    const ANY: &[&str] = &["io", "anyhow", "eyre", "color_eyre", "miette"];
    let Some(returns) = &workspace.function(function).returns else { return false };
    let names = |path: &[crate::workspace::rust::Name]| path.iter().any(|name| ANY.contains(&&**name));
    names(&returns.path) || returns.arguments.get(1).is_some_and(|error| error.name() == Some("Box") || names(&error.path))
}

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::http::{Served, Shutdown};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A service shuts down gracefully for Ctrl-C, but not for SIGTERM.
    ///
    /// ## Why is this bad?
    /// Orchestrators do not press Ctrl-C: `docker stop`, Kubernetes and systemd send SIGTERM. A process that does not handle it is ended
    /// in the middle of its requests; as process 1 of a container it does not even notice, and is killed when the grace period is over.
    /// The graceful shutdown that was written never runs.
    ///
    /// ## Example
    /// ```rust
    /// axum::serve(listener, app).with_graceful_shutdown(async { tokio::signal::ctrl_c().await.ok(); }).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// axum::serve(listener, app).with_graceful_shutdown(terminated()).await?;
    ///
    /// async fn terminated() {
    ///     let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    ///     tokio::select! {
    ///         _ = term.recv() => {}
    ///         _ = tokio::signal::ctrl_c() => {}
    ///     }
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - anything that the service reaches names SIGTERM: `SignalKind::terminate()`, `SIGTERM`, `TERM_SIGNALS`, the `ctrlc` crate with
    ///   its feature `termination`;
    /// - the image sets `STOPSIGNAL SIGINT`, or a manifest or compose file sends SIGINT instead;
    /// - all its servers drain on SIGTERM by themselves (actix-web, ntex, rocket from 0.5);
    /// - its server is not drained at all: that is `no-graceful-shutdown`.
    ///
    /// Also reported: a graceful shutdown that waits for a `CancellationToken` that nothing cancels, or for `pending()`.
    ///
    /// ## Source
    /// tokio 1 `src/signal/ctrl_c.rs` (SIGINT only); ctrlc 3 (SIGTERM and SIGHUP with the feature `termination`); signal(7);
    /// [Kubernetes: termination of Pods](https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
    "sigterm-ignored", "MSVC102", Practice::DesignForFailure, Level::Deny, Tier::Default, Check::Service(check)
}

/// What waits for SIGINT alone.
const CTRL_C: &[&str] = &[
    "tokio::signal::ctrl_c",
    "tokio::signal::unix::SignalKind::interrupt",
    "ctrlc::set_handler",
    "ctrlc::try_set_handler",
    "async_ctrlc::CtrlC::new",
    "actix_rt::signal::ctrl_c",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let traffic = served.traffic();
    let drained = || traffic.iter().find(|server| server.shutdown == Shutdown::Graceful);
    never_ends(&served, out);
    // A worker without a server may stop gracefully, too.
    let server = match (traffic.is_empty(), drained()) {
        (true, _) => None,
        (false, Some(server)) => Some(server),
        (false, None) => return,
    };
    if !served.servers.is_empty() && served.servers.iter().all(|server| server.shutdown == Shutdown::BuiltIn) {
        return;
    }
    let calls: Vec<Node<'_>> =
        CTRL_C.iter().flat_map(|path| served.calls_to(path)).filter(|call| workspace.runs(service, *call)).collect();
    let Some(first) = calls.first() else { return };
    if handles_termination(&served) || sends_interrupt(workspace, service) || ctrlc_terminates(*first) {
        return;
    }
    let mut diagnostic =
        Diagnostic::new("graceful shutdown waits for Ctrl-C alone, and SIGTERM never starts it", first.name_at(), "SIGINT only")
            .help("wait for SIGTERM, too: `tokio::signal::unix::signal(SignalKind::terminate())` in a `select!` with it")
            .evidence("`SignalKind::terminate()`, `SIGTERM` or `TERM_SIGNALS` in all that the service reaches")
            .evidence("`STOPSIGNAL SIGINT` in the image, a stop signal or a hook that sends it in manifests and compose files");
    if let Some(server) = server {
        diagnostic = diagnostic.related(server.at, "this server is drained when it ends");
    } else {
        diagnostic = diagnostic.confidence(Confidence::Medium);
    }
    if calls.len() == 1 && first.external() == Some("tokio::signal::ctrl_c") && first.is_async() {
        let text = "async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }";
        diagnostic = diagnostic.fix(Fix::unsafe_("wait for SIGTERM, too").replace(first.at(), text));
    }
    out.push(diagnostic);
}

/// Graceful shutdown that waits for what never comes.
fn never_ends(served: &Served<'_>, out: &mut Vec<Diagnostic>) {
    let workspace = served.workspace;
    for server in served.traffic().into_iter().filter(|server| server.shutdown == Shutdown::Graceful) {
        let methods = server.methods.iter().map(|place| workspace.node(*place));
        let ends = methods.filter(|method| method.method().is_some_and(|name| name.contains("shutdown") || name == "graceful"));
        let signals: Vec<Node<'_>> = ends.flat_map(|method| method.arguments().collect::<Vec<_>>()).collect();
        for node in signals.iter().copied().flat_map(Node::descendants) {
            // Beside others, `pending()` stands for a signal that this platform does not have.
            let is_pending = matches!(node.kind(), ExprKind::Call { .. })
                && signals.iter().any(|signal| signal.file == node.file && signal.id == node.id)
                && node.external().is_some_and(|path| path.ends_with("future::pending") || path.ends_with("futures::pending"));
            let waits = matches!(node.method(), Some("cancelled" | "cancelled_owned"))
                && ["cancel", "drop_guard", "drop_guard_ref"].iter().all(|name| !served.mentions(name));
            if is_pending || waits {
                let what = if is_pending { "`pending()` never ends" } else { "nothing cancels this token" };
                out.push(
                    Diagnostic::new("graceful shutdown waits for what never comes", node.name_at(), what)
                        .help("end it on SIGTERM: `tokio::signal::unix::signal(SignalKind::terminate())`")
                        .evidence("`cancel()` and `drop_guard()` in all that the service reaches")
                        .related(server.at, "this server is to be drained"),
                );
            }
        }
    }
}

fn handles_termination(served: &Served<'_>) -> bool {
    let names = |name: &str| name.contains("SIGTERM") || name == "TERM_SIGNALS" || name == "terminate" || name == "Term";
    served.names_path(|path| path.iter().any(|name| names(name)) || path.last().is_some_and(|name| &**name == "signal_hook"))
}

/// `ctrlc` with its feature `termination` handles SIGTERM.
fn ctrlc_terminates(call: Node<'_>) -> bool {
    let workspace = call.workspace;
    call.external().is_some_and(|path| path.starts_with("ctrlc::"))
        && workspace
            .packages
            .iter()
            .flat_map(|package| &package.dependencies)
            .any(|dependency| dependency.package == "ctrlc" && dependency.features.iter().any(|feature| feature == "termination"))
}

/// Whether those who stop it send SIGINT.
fn sends_interrupt(workspace: &Workspace, service: &Service) -> bool {
    let interrupts = |text: &str| text.contains("SIGINT") || text.ends_with("-INT") || text.trim() == "2";
    let image = workspace
        .dockerfiles_of(service)
        .flat_map(|file| &file.stages)
        .any(|stage| stage.stop_signal.as_ref().is_some_and(|signal| interrupts(&signal.value)));
    let compose =
        workspace.compose_of(service).any(|(_, run)| run.stop_signal.as_ref().is_some_and(|signal| interrupts(&signal.value)));
    let pods = || {
        workspace.containers_of(service).any(|(object, _)| {
            let text = format!("{:?}", object.node);
            text.contains("SIGINT") || text.contains("kill -INT") || text.contains("-s INT")
        })
    };
    image || compose || pods()
}

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::http::{Framework, Served, Server, Shutdown};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A server is started without graceful shutdown.
    ///
    /// ## Why is this bad?
    /// Every rollout, scale-down and node drain sends SIGTERM. A server that does not drain drops the requests it is working on:
    /// callers see resets, and what was half done stays half done.
    ///
    /// ## Example
    /// ```rust
    /// axum::serve(listener, app).await?;
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
    /// tonic: `serve_with_shutdown(address, terminated())`; warp 0.3: `bind_with_graceful_shutdown`; warp 0.4: `.graceful(…)`; poem:
    /// `run_with_graceful_shutdown`; axum-server: a `Handle` and `handle.graceful_shutdown(…)`.
    ///
    /// ## Not reported when
    /// - the server is drained, also where a helper function builds it and another runs it;
    /// - the framework drains on SIGTERM by itself: actix-web and ntex (unless `disable_signals()` is called), rocket from 0.5;
    /// - it serves only metrics, health or administration beside the traffic;
    /// - where it is run could not be followed.
    ///
    /// A server future that a `select!` drops when a signal arrives is not drained, and is reported.
    ///
    /// ## Source
    /// axum 0.8 `serve/mod.rs`, hyper 0.14 `server/shutdown.rs`, tonic 0.14 `transport/server/mod.rs`, warp 0.3 `server.rs`, poem 3
    /// `server.rs` (`run` waits for a signal that never comes), actix-server 2 `signals.rs` (SIGTERM is graceful), rocket 0.5
    /// `shutdown/config.rs` (`signals = ["term"]`); the Twelve-Factor App, IX.
    "no-graceful-shutdown", "MSVC101", Practice::DesignForFailure, Level::Deny, Tier::Default, Check::Service(check)
}

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    for server in served.traffic() {
        if server.shutdown != Shutdown::Abrupt {
            workspace.spared(|| server.at, "it is drained, or drains by itself");
            continue;
        }
        if drains_elsewhere(&served, server.framework) {
            workspace.spared(|| server.at, "something else in this binary drains it");
            continue;
        }
        let advice = advice(server.framework);
        let mut diagnostic = Diagnostic::new(
            format!("this {} server is not drained on SIGTERM", server.framework.name()),
            server.at,
            "requests in flight are dropped when the process is told to end",
        )
        .help(advice.help)
        .evidence(format!("{}, on the server and wherever it is handed to", advice.looked_for))
        .confidence(match server.framework {
            Framework::HyperConnection | Framework::Dropshot => Confidence::Medium,
            _ => Confidence::High,
        });
        diagnostic.fix = fix(workspace, server);
        if raced(workspace, server) {
            diagnostic = diagnostic.evidence("a `select!` ends the server by dropping it, and every open request with it");
        }
        out.push(diagnostic);
    }
}

/// What ends on SIGTERM.
const SIGNAL: &str = "async {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect(\"a signal handler\").recv().await;
    }";

/// A signal for a server that is awaited where it is made.
fn fix(workspace: &Workspace, server: &Server) -> Option<Fix> {
    let title = "drain on SIGTERM";
    let maker = workspace.node(server.place);
    let awaited = |node: Node<'_>| node.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Await(_)));
    let serve = || server.methods.iter().map(|place| workspace.node(*place)).find(|node| node.method() == Some("serve"));
    match server.framework {
        Framework::Axum if awaited(maker) => {
            Some(Fix::unsafe_(title).after(maker.at(), format!("\n    .with_graceful_shutdown({SIGNAL})\n    ")))
        }
        Framework::Hyper => {
            let serve = serve().filter(|serve| awaited(*serve))?;
            Some(Fix::unsafe_(title).after(serve.at(), format!("\n    .with_graceful_shutdown({SIGNAL})\n    ")))
        }
        Framework::Tonic => {
            let serve = serve().filter(|serve| awaited(*serve))?;
            let address = serve.arguments().last()?;
            let fix = Fix::unsafe_(title).replace(serve.name_at(), "serve_with_shutdown");
            Some(fix.after(address.at(), format!(", {SIGNAL}")))
        }
        _ => None,
    }
}

struct Advice {
    help: &'static str,
    looked_for: &'static str,
}

fn advice(framework: Framework) -> Advice {
    let (help, looked_for) = match framework {
        Framework::Axum | Framework::Hyper => (
            "add `.with_graceful_shutdown(signal)` to the server, with a future that ends on SIGTERM",
            "`.with_graceful_shutdown(…)`",
        ),
        Framework::AxumServer => (
            "give the server a `Handle` with `.handle(handle.clone())`, and call `handle.graceful_shutdown(Some(limit))` on SIGTERM",
            "a `Handle` whose `graceful_shutdown` is called",
        ),
        Framework::HyperConnection => (
            "watch each connection with `hyper_util::server::graceful::GracefulShutdown`, and await its `shutdown()` on SIGTERM",
            "`GracefulShutdown` and `graceful_shutdown()`",
        ),
        Framework::Tonic => (
            "use `serve_with_shutdown(address, signal)` (or `serve_with_incoming_shutdown`), with a future that ends on SIGTERM",
            "`serve_with_shutdown` and `serve_with_incoming_shutdown`",
        ),
        Framework::Warp => (
            "use `bind_with_graceful_shutdown(address, signal)` (warp 0.4: `.bind(address).await.graceful(signal).run()`)",
            "`bind_with_graceful_shutdown`, `serve_incoming_with_graceful_shutdown`, `graceful`",
        ),
        Framework::Poem => (
            "use `run_with_graceful_shutdown(app, signal, Some(limit))`, with a future that ends on SIGTERM",
            "`run_with_graceful_shutdown`",
        ),
        Framework::Salvo => (
            "take `server.handle()` before serving, and call `handle.stop_graceful(Some(limit))` on SIGTERM",
            "`handle()` and `serve_with_graceful_shutdown`",
        ),
        Framework::Dropshot => ("keep the started server, and await its `close()` on SIGTERM", "`close()`"),
        Framework::Actix | Framework::Ntex => (
            "remove `disable_signals()`, or call `server.handle().stop(true)` on SIGTERM",
            "`handle().stop(…)` beside `disable_signals()`",
        ),
        Framework::Rocket => ("update to rocket 0.5, which drains on SIGTERM by itself", "rocket 0.5 or later in Cargo.lock"),
        Framework::Tide => {
            ("tide cannot drain: move to a framework that can, such as axum", "nothing: tide has no graceful shutdown")
        }
    };
    Advice { help, looked_for }
}

/// Whether the service drains such servers by means that are not called on the server itself.
fn drains_elsewhere(served: &Served<'_>, framework: Framework) -> bool {
    match framework {
        Framework::HyperConnection => served.mentions("graceful_shutdown") || served.names_path(names_graceful),
        Framework::Dropshot => served.named("close").any(|node| node.arguments().next().is_none()),
        Framework::Actix | Framework::Ntex => served.mentions("stop"),
        _ => false,
    }
}

fn names_graceful(path: &[crate::workspace::rust::Name]) -> bool {
    path.iter().any(|name| &**name == "GracefulShutdown")
}

/// Whether the server stands in a `select!`.
fn raced(workspace: &Workspace, server: &Server) -> bool {
    let node = workspace.node(server.place);
    node.ancestors().any(
        |ancestor| matches!(ancestor.kind(), ExprKind::Macro { path, .. } if path.last().is_some_and(|name| &**name == "select")),
    )
}

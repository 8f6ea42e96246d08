use super::guards::is_named;
use super::requests::serves_probes_only;
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::edge::{has_front, opening};
use crate::rules::libraries::version;
use crate::rules::values::names_this_machine;
use crate::workspace::http::{Framework, Server};
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A server waits without end for the head of a request.
    ///
    /// ## Why is this bad?
    /// A client that opens connections and sends a line now and then, on purpose (Slowloris) or on a bad network, holds a task, a socket and a
    /// file descriptor for each. A timeout around handlers does not help: no handler runs before the head is there.
    ///
    /// ## Example
    /// ```rust
    /// axum::serve(listener, app).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    /// server.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    /// loop {
    ///     let (stream, _) = listener.accept().await?;
    ///     let service = TowerToHyperService::new(app.clone());
    ///     tokio::spawn(server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
    /// }
    /// ```
    /// axum-server: `server.http_builder().http1().timer(…).header_read_timeout(…)`. hyper 0.14: `Server::bind(&address)
    /// .http1_header_read_timeout(…)`. poem: `idle_timeout`. `axum::serve`, warp and rocket 0.5 have no such setting: put a proxy in front.
    ///
    /// ## Not reported when
    /// - something that the service reaches is called `header_read_timeout`, `http1_header_read_timeout`, `idle_timeout` or `TokioTimer` (hyper 1.12
    ///   then limits the head to 30 s by itself), or puts a timeout on what it reads (`tokio-io-timeout`, a listener of its own);
    /// - the framework has a limit by default: actix-web (5 s), dropshot; or its limits were not read: tonic, salvo, tide, ntex;
    /// - an Ingress, a Gateway, a mesh or a proxy stands in the tree, or a platform's file (`Procfile`, `fly.toml`): what is in front reads the heads;
    /// - it binds an address of this machine alone, or all routes that are seen are for health checks and scrapes;
    /// - manifests run the service and open no way to it from outside;
    /// - the version is one whose source was not read.
    ///
    /// One finding for each service.
    ///
    /// ## Source
    /// hyper 1.12 `src/server/conn/http1.rs` (30 s, which "requires a `Timer`") and 0.14 `src/server/conn.rs` (`None`); axum 0.7 and 0.8 `serve`, warp 0.4
    /// `src/server.rs` and axum-server 0.7 and 0.8 `src/server.rs` (no timer); warp 0.3 (hyper 0.14); rocket 0.5 `src/server.rs`
    /// (`header_read_timeout(None)`); poem 3 `src/server.rs`; actix-http 3 `src/config.rs` (`client_request_timeout`).
    "no-header-read-timeout", "MSVC623", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// In names of what limits the head, or all reading.
const LIMITS: &[&str] = &[
    "headerreadtimeout",
    "tokiotimer",
    "idletimeout",
    "iotimeout",
    "timeoutstream",
    "timeoutreader",
    "timeoutio",
    "slowrequesttimeout",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let servers: Vec<&Server> =
        served.traffic().into_iter().filter(|server| never_limits(workspace.node(server.place), server)).collect();
    let Some((server, others)) = servers.split_first().filter(|_| !serves_probes_only(&served)) else { return };
    if has_front(workspace) || is_inside(workspace, service) || is_named(workspace, service, LIMITS) {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        format!("this {} server waits without end for the head of a request", server.framework.name()),
        server.at,
        "a half-sent head holds its connection",
    )
    .help(help(server.framework))
    .evidence("`header_read_timeout`, `http1_header_read_timeout`, `idle_timeout` or a timer, in all that this binary reaches")
    .evidence("an Ingress, a Gateway, a mesh or a proxy in front")
    .confidence(Confidence::Medium);
    diagnostic.fix = fix(workspace.node(server.place), server.framework);
    for other in others {
        diagnostic = diagnostic.related(other.at, "this one, too");
    }
    out.push(diagnostic);
}

/// Manifests run it, and nothing leads to it from outside.
fn is_inside(workspace: &Workspace, service: &Service) -> bool {
    workspace.containers_of(service).next().is_some() && opening(workspace, service).is_none()
}

/// Whether a server of that framework, in the version that is used, has no limit by default.
fn never_limits(maker: Node<'_>, server: &Server) -> bool {
    // Nobody else comes to it.
    if maker.arguments().flat_map(Node::descendants).any(|node| node.text().is_some_and(names_this_machine)) {
        return false;
    }
    let between = |package: &str, from: (u64, u64), to: (u64, u64)| {
        version(maker, package).is_some_and(|version| (from..=to).contains(&(version.major, version.minor)))
    };
    let methods = |name: &str| server.methods.iter().any(|place| maker.workspace.node(*place).method() == Some(name));
    match server.framework {
        Framework::Axum => between("axum", (0, 7), (0, 8)) && !has_own_listener(maker),
        Framework::AxumServer => between("axum-server", (0, 7), (0, 8)),
        Framework::Hyper => {
            (between("hyper", (0, 14), (0, 14)) || between("axum", (0, 5), (0, 6)) && version(maker, "hyper").is_none())
                && !methods("http2_only")
        }
        Framework::HyperConnection => {
            let is_http2 = maker.external().is_some_and(|path| path.contains("http2"));
            let known =
                between("hyper", (0, 14), (0, 14)) || between("hyper", (1, 0), (1, 12)) || between("hyper-util", (0, 1), (0, 1));
            known && !is_http2 && !methods("http2_only")
        }
        Framework::Warp => between("warp", (0, 3), (0, 4)),
        Framework::Rocket => between("rocket", (0, 5), (0, 5)),
        Framework::Poem => between("poem", (3, 0), (3, 1)),
        Framework::Actix | Framework::Dropshot | Framework::Ntex | Framework::Salvo | Framework::Tide | Framework::Tonic => false,
    }
}

/// A listener of the workspace's own may limit what it reads.
fn has_own_listener(serve: Node<'_>) -> bool {
    let listener = serve.arguments().next().map(Node::ty);
    matches!(listener, Some(Definition::Type(_)))
}

fn help(framework: Framework) -> &'static str {
    match framework {
        Framework::AxumServer => {
            "set `server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(limit)`, or put a proxy in front that limits it"
        }
        Framework::Hyper => "add `.http1_header_read_timeout(limit)`, or put a proxy in front that limits it",
        Framework::HyperConnection => {
            "add `.timer(TokioTimer::new()).header_read_timeout(limit)` to its HTTP/1 builder, or put a proxy in front that limits it"
        }
        Framework::Poem => "add `.idle_timeout(limit)` to the server, or put a proxy in front that limits it",
        Framework::Axum => {
            "accept connections by hand with `hyper_util::server::conn::auto::Builder` and its `header_read_timeout`, or put a proxy in front"
        }
        _ => "put a proxy in front that limits it: this framework has no such setting",
    }
}

fn fix(maker: Node<'_>, framework: Framework) -> Option<Fix> {
    let by_value = framework == Framework::Hyper && matches!(maker.last_name(), Some("bind" | "builder"));
    let fix = Fix::unsafe_("give up on a head after 10 s");
    by_value.then(|| fix.after(maker.at(), ".http1_header_read_timeout(std::time::Duration::from_secs(10))"))
}

use std::collections::BTreeSet;

use super::setup::{LEVELS, is_set_up_unseen, lines, reach};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::resiliency_patterns::layers::is_router;
use crate::rules::resiliency_patterns::requests::per_request_functions;
use crate::rules::words::has_word;
use crate::workspace::http::{Framework, Purpose, Route, Server, purpose};
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// Log lines do not say which request they belong to.
    ///
    /// ## Why is this bad?
    /// A service works on many requests at once, and their lines stand in one stream. Without a span around each request nobody
    /// can tell which lines go together, which path and caller they were about, or find the same request in the next service.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create));
    /// axum::serve(listener, app).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create)).layer(tower_http::trace::TraceLayer::new_for_http());
    /// axum::serve(listener, app).await?;
    /// ```
    /// actix-web: `.wrap(tracing_actix_web::TracingLogger::default())`; tonic: `Server::builder().trace_fn(…)` or the same layer; poem:
    /// `.with(poem::middleware::Tracing)`; warp: `.with(warp::trace::request())`.
    ///
    /// ## Not reported when
    /// - anything that the binary reaches makes spans: `TraceLayer`, a middleware named for traces or spans, `info_span!`,
    ///   `#[instrument]`, OpenTelemetry;
    /// - no handler, nor what it calls, writes lines with `tracing`, but for those of health, metrics and the like;
    /// - something that cannot be looked into runs on the way to the server: a framework, an unpublished crate;
    /// - the framework is not one of axum, hyper, tonic, actix-web, poem and warp.
    ///
    /// ## Source
    /// tracing 0.1 `src/lib.rs` ("Spans"); tower-http 0.6 `src/trace/mod.rs`; axum 0.8 `src/serve/mod.rs`, actix-web 4 `src/middleware/logger.rs`
    /// (a line for each request, no span); W3C Trace Context.
    "no-request-span", "MSVC807", Practice::CentralizedLogging, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Words in the names of what makes spans or carries what they would say.
const WORDS: &[&str] = &[
    "trace",
    "traces",
    "tracing",
    "tracer",
    "span",
    "spans",
    "otel",
    "opentelemetry",
    "telemetry",
    "instrument",
    "instrumented",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let (Some(served), Some(reach)) = (workspace.served(service), reach(workspace, service)) else { return };
    let traffic = served.traffic();
    let Some(server) = traffic.first().filter(|server| has_middleware(server.framework)) else { return };
    let lines = lines(workspace, service);
    if lines.is_empty() {
        return;
    }
    let handling = per_request_functions(workspace, service, &|_| true);
    // A line about a probe or a scrape need not be told from others.
    let operational =
        |route: &&&Route| !route.paths.iter().any(|path| matches!(purpose(path), Purpose::Business | Purpose::GraphQl));
    let aside: BTreeSet<FunctionRef> =
        served.routes.iter().filter(operational).flat_map(|route| route.handlers.iter().copied()).collect();
    let of_request = |line: &Node<'_>| {
        let handler = line.function().and_then(|function| handling.get(&function));
        handler.is_some_and(|(handler, _)| !aside.contains(handler))
    };
    let is_tracing = |line: &Node<'_>| line.external().is_some_and(|path| path.starts_with("tracing::"));
    let Some(line) = lines.into_iter().find(|line| is_tracing(line) && of_request(line)) else { return };
    let instrumented = |name: &str| matches!(name, "instrument" | "tracing");
    let attributes = reach.functions().iter().flat_map(|function| &workspace.function(*function).attributes);
    let by_attribute = attributes.into_iter().any(|found| found.path.last().is_some_and(|name| instrumented(name)));
    if by_attribute
        || reach
            .expressions_where(workspace, |name| has_word(name, WORDS), |path| path.split("::").any(|name| has_word(name, WORDS)))
            .any(makes_span)
        || is_set_up_unseen(workspace, service, reach)
    {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        format!("this {} server opens no span for its requests", server.framework.name()),
        server.at,
        "requests share one stream of lines",
    )
    .related(line.at(), "this line does not say which request it is about")
    .help(help(server.framework))
    .evidence("middleware named for traces or spans, `…_span!`, `#[instrument]`, OpenTelemetry, in all that this binary reaches")
    .evidence("frameworks, unpublished crates and macros that could do it unseen");
    diagnostic.fix = fix(workspace, server);
    out.push(diagnostic);
}

fn has_middleware(framework: Framework) -> bool {
    matches!(
        framework,
        Framework::Axum
            | Framework::AxumServer
            | Framework::Hyper
            | Framework::HyperConnection
            | Framework::Tonic
            | Framework::Actix
            | Framework::Poem
            | Framework::Warp
    )
}

fn help(framework: Framework) -> &'static str {
    match framework {
        Framework::Actix => "wrap the app in `tracing_actix_web::TracingLogger::default()`",
        Framework::Poem => "add `.with(poem::middleware::Tracing)` around the routes",
        Framework::Warp => "add `.with(warp::trace::request())` to the filters",
        _ => "add `.layer(tower_http::trace::TraceLayer::new_for_http())` around the routes (`new_for_grpc` for tonic)",
    }
}

/// Whether anything here could make a span: named for it, and no line, level or subscriber.
fn makes_span(node: Node<'_>) -> bool {
    let named = |path: &[crate::workspace::rust::Name]| path.iter().any(|name| has_word(name, WORDS));
    match node.kind() {
        ExprKind::Method { name, .. } => has_word(name, WORDS),
        ExprKind::Macro { path, .. } => {
            let level = path.last().is_some_and(|name| LEVELS.contains(&&**name));
            !level && named(path)
        }
        ExprKind::Path(path) | ExprKind::Struct { path, .. } => match node.external() {
            Some(outside) => !is_plain(outside) && outside.split("::").any(|name| has_word(name, WORDS)),
            None => named(path),
        },
        _ => false,
    }
}

/// Levels, errors and what sets up a subscriber.
fn is_plain(path: &str) -> bool {
    const PLAIN: &[&str] = &[
        "tracing::Level",
        "tracing::level_filters",
        "tracing::metadata",
        "tracing::subscriber",
        "tracing_subscriber",
        "tracing_appender",
        "tracing_log",
    ];
    PLAIN.iter().any(|known| path.starts_with(known)) && !path.contains("FmtSpan")
}

/// A layer around the router that axum serves, where the package has it.
fn fix(workspace: &Workspace, server: &Server) -> Option<Fix> {
    let serve = workspace.node(server.place);
    let app = serve.arguments().nth(1).filter(|app| server.framework == Framework::Axum && is_router(*app))?;
    let has_trace = |package: &crate::workspace::manifest::Package| {
        package
            .dependencies
            .iter()
            .any(|known| known.alias == "tower_http" && known.features.iter().any(|name| name == "trace" || name == "full"))
    };
    let finished = app.receivers().any(|node| node.method().is_some_and(|name| name.starts_with("into_make_service")));
    if finished || !serve.packages().all(has_trace) {
        return None;
    }
    Some(Fix::unsafe_("open a span for each request").after(app.at(), ".layer(tower_http::trace::TraceLayer::new_for_http())"))
}

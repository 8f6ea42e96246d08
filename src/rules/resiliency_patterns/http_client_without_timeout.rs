use std::cell::OnceCell;

use super::http_clients;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::version;
use crate::rules::paths;
use crate::rules::time_limit::{is_bounded, names_limit};
use crate::workspace::Workspace;
use crate::workspace::follow::Fate;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

crate::declare_rule! {
    /// An HTTP client waits for answers without a limit.
    ///
    /// ## Why is this bad?
    /// A dependency that accepts a connection and never answers holds the request, its memory and its place in every limit
    /// for as long as it likes. Under load all workers end up waiting for it, and one dead service takes its callers with it.
    ///
    /// ## Example
    /// ```rust
    /// let client = reqwest::Client::new();
    /// let stock = client.get(url).send().await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let client = reqwest::Client::builder().connect_timeout(connect).timeout(total).build()?;
    /// let stock = client.get(url).send().await?;
    /// ```
    ///
    /// ## Not reported when
    /// - the builder sets `timeout` or `read_timeout`, also where a helper in another crate does, or a setting decides;
    /// - every request made with the client calls `.timeout(…)`, or stands in `tokio::time::timeout(…)` or in a `select!` with a
    ///   sleep, also when the caller of the function puts it there;
    /// - its requests open streams of server-sent events;
    /// - no request is made with it that can be seen: it is handed to a library, which may have limits of its own;
    /// - it is `reqwest::blocking` (or reqwest before 0.10, which blocks), whose requests end after 30 s, or another crate's `Client`;
    /// - it is of hyper, hyper-util, ureq or isahc, and something in the same crate waits with a limit, or it pings its peers;
    /// - no service runs it: tools, subcommands (also by the path of their file), tests, examples.
    ///
    /// awc and surf have limits by default: of awc, `disable_timeout` is reported.
    ///
    /// ## Source
    /// reqwest 0.11 to 0.13 `src/async_impl/client.rs`: `timeout: None`, `read_timeout: None`, `connect_timeout: None`;
    /// `src/blocking/client.rs`: 30 s. hyper-util 0.1 `src/client/legacy/client.rs` and hyper 0.14 `src/client/client.rs`: no limit but that on idle
    /// connections. ureq 2 `src/agent.rs`: no limit on reads, ureq 3 `src/config.rs`: none at all; isahc 1 `src/config/mod.rs`: none. awc 3 `src/builder.rs`: 5 s; surf 2 `src/config.rs`: 60 s. "Timeouts", MARS (Tighilt et al., 2023).
    "http-client-without-timeout", "MSVC601", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Before 0.10 the client at the root was the blocking one, with 30 s by default: reqwest 0.9 `client.rs`.
fn has_default(call: Node<'_>) -> bool {
    version(call, "reqwest").is_some_and(|version| version.major == 0 && version.minor < 10)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let by_type = OnceCell::new();
    let by_type = || by_type.get_or_init(|| http_clients::requests_by_type(workspace)).clone();
    for maker in http_clients::MAKERS {
        let made = workspace.calls_to(maker).chain(workspace.handed_on(maker)).filter(|call| !has_default(*call));
        made.for_each(|call| check_client(call, http_clients::fate(call), maker, &by_type, out));
    }
    for http_clients::Derived { made, field, fate } in http_clients::derived(workspace) {
        let before = out.len();
        check_client(made, fate, "reqwest::Client::default", &by_type, out);
        for diagnostic in &mut out[before..] {
            diagnostic.primary.at = field;
            diagnostic.fix = None;
        }
    }
    for maker in http_clients::OTHER_MAKERS {
        let made = workspace.calls_to(maker).chain(workspace.handed_on(maker));
        made.for_each(|call| check_client(call, http_clients::fate(call), maker, &|| Vec::new(), out));
    }
    let at_once = http_clients::AT_ONCE.iter().flat_map(|path| workspace.calls_to(path).map(move |call| (path, call)));
    for (path, call) in at_once.filter(|(_, call)| !has_default(*call) && !request_is_bounded(*call)) {
        if let Some(service) = workspace.run_by(call).filter(|_| !paths::is_command(call)) {
            out.push(finding(&format!("`{path}` waits for its answer without a limit"), path, call).service(&service.name));
        }
    }
    // awc has a limit, which somebody took away.
    for call in workspace.methods("disable_timeout").filter(|call| call.packages().any(|package| package.depends_on("awc"))) {
        if let Some(service) = workspace.run_by(call) {
            out.push(finding("this client waits for answers without a limit", "awc", call).service(&service.name));
        }
    }
}

fn check_client<'w>(call: Node<'w>, fate: Fate<'w>, maker: &str, by_type: &dyn Fn() -> Vec<Node<'w>>, out: &mut Vec<Diagnostic>) {
    let workspace = call.workspace;
    let right = |why| workspace.spared(|| call.at(), why);
    let Some(service) = workspace.run_by(call) else { return };
    if paths::is_command(call) {
        return right("it is part of a command");
    }
    if fate.methods.iter().any(|method| method.method().is_some_and(names_limit)) {
        return right("a limit stands on its builder");
    }
    let fate_methods: Vec<&str> = fate.methods.iter().filter_map(|method| method.method()).collect();
    let Some((requests, confidence)) = http_clients::requests(service, fate, by_type) else {
        return right("what it is used for cannot be followed");
    };
    let run: Vec<_> = requests.into_iter().filter(|request| workspace.run_by(*request).is_some()).collect();
    if run.is_empty() {
        return right("no request of it was found in a service");
    }
    let Some(first) = run.iter().find(|request| !request_is_bounded(**request)) else {
        return right("a limit stands on each of its requests, or around it");
    };
    // With these a limit stands elsewhere: around the call, in a layer, or the peer is asked for a sign of life.
    let pings = fate_methods.iter().any(|name| name.contains("keep_alive_interval"));
    if !maker.starts_with("reqwest")
        && (pings || run.iter().any(|request| request_is_bounded(*request) || stands_by_limit(*request)))
    {
        return right("the crate around its requests waits with limits");
    }
    let what = format!("a client of `{maker}` waits for answers without a limit");
    let request = if first.file == call.file && first.at() == call.at() { None } else { Some(first.name_at()) };
    let mut diagnostic = finding(&what, maker, call).confidence(confidence).service(&service.name);
    if let Some(fix) = fix(call).filter(|_| maker.starts_with("reqwest")) {
        diagnostic = diagnostic.fix(fix);
    }
    if let Some(request) = request {
        diagnostic = diagnostic.related(request, "this request may wait for ever");
    }
    out.push(diagnostic);
}

fn finding(what: &str, maker: &str, call: Node<'_>) -> Diagnostic {
    let help = match maker.split("::").next() {
        Some("hyper" | "hyper_util") => {
            "wait with `tokio::time::timeout(limit, client.request(request))`, or put a `tower` timeout around it"
        }
        Some("ureq") => "make an agent with a limit: `timeout` of ureq 2, `timeout_global` of ureq 3",
        Some("isahc") => "build it with `isahc::HttpClient::builder().timeout(limit)`, or set `.timeout(limit)` on each request",
        Some("awc") => "leave the limit in place, or set one: `.timeout(limit)`",
        _ => "build it with `reqwest::Client::builder().timeout(limit)`, or call `.timeout(limit)` on each request",
    };
    Diagnostic::new(what, call.name_at(), "has no timeout")
        .help(help)
        .evidence("`timeout` or `read_timeout` on the builder, through helpers and fields of the workspace")
        .evidence("`.timeout(…)` on each request made with it")
        .evidence("a `timeout(…)` around each request, or around all calls of the function that makes it")
}

/// A limit on the builder, or a builder with one in place of `Client::new()`.
fn fix(call: Node<'_>) -> Option<Fix> {
    call.packages().next()?.dependency("reqwest").filter(|dependency| dependency.package == "reqwest")?;
    let fix = Fix::unsafe_("give up on an answer after 10 s");
    let limit = ".timeout(std::time::Duration::from_secs(10))";
    let path = call.external().filter(|_| matches!(call.kind(), ExprKind::Call { .. }))?;
    if path == "reqwest::Client::builder" || path.starts_with("reqwest::ClientBuilder::") {
        return Some(fix.after(call.at(), limit));
    }
    // Both panic where there is no TLS backend.
    Some(fix.replace(call.at(), format!("reqwest::Client::builder(){limit}.build().expect(\"an HTTP client\")")))
}

fn request_is_bounded(request: Node<'_>) -> bool {
    let fate = request.fate(&|name| name != "send");
    let handed = fate.given.iter().any(|taker| taker.last_name().is_some_and(names_limit) || is_event_stream(*taker));
    // `.eventsource()` of reqwest-eventsource.
    let bounded = |method: &Node<'_>| method.method().is_some_and(|name| names_limit(name) || name == "eventsource");
    if handed || fate.methods.iter().any(bounded) || is_bounded(request) {
        return true;
    }
    // A function may build the request for others to send.
    let mut sent = fate.methods.into_iter().filter(|method| method.method() == Some("send")).peekable();
    sent.peek().is_some() && sent.all(is_bounded)
}

/// Whether the crate around a request waits for anything with a limit: these clients are parts, which others are built of.
fn stands_by_limit(request: Node<'_>) -> bool {
    let is_limit = |path: &str| {
        let name = path.rsplit("::").next().unwrap_or(path);
        matches!(name, "timeout" | "timeout_at") || path.starts_with("tower::timeout::")
    };
    let workspace = request.workspace;
    workspace
        .graph
        .naming_any(is_limit)
        .any(|function| workspace.crates_of(function).any(|krate| request.crates().any(|own| own == krate)))
}

/// Server-sent events stay open on purpose.
fn is_event_stream(taker: Node<'_>) -> bool {
    taker.path().is_some_and(|path| path.iter().any(|name| name.contains("EventSource")))
}

use std::cell::OnceCell;

use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::REQUEST_METHODS;
use crate::rules::time_limit::{is_bounded, names_limit};
use crate::workspace::Workspace;
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Outline};

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
    /// - it is `reqwest::blocking`, whose requests end after 30 s, or another crate's `Client`;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// Only reqwest is looked at: awc and surf have limits by default.
    ///
    /// ## Source
    /// reqwest 0.11 to 0.13 `src/async_impl/client.rs`: `timeout: None`, `read_timeout: None`, `connect_timeout: None`;
    /// `src/blocking/client.rs`: 30 s. awc 3 `src/builder.rs`: 5 s; surf 2 `src/config.rs`: 60 s. "Timeouts", MARS (Tighilt et al., 2023).
    "http-client-without-timeout", "MSVC601", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// What makes a client, or the builder of one.
const MAKERS: &[&str] = &[
    "reqwest::Client::new",
    "reqwest::Client::default",
    "reqwest::Client::builder",
    "reqwest::ClientBuilder::new",
    "reqwest::ClientBuilder::default",
];
/// Where a framework keeps values for handlers, who get them by type.
const STATE: &[&str] = &["app_data", "data", "manage", "with_state", "Extension", "AddExtensionLayer", "inject", "insert"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let by_type = OnceCell::new();
    let by_type = || by_type.get_or_init(|| requests_by_type(workspace)).clone();
    for maker in MAKERS {
        workspace.calls_to(maker).chain(workspace.handed_on(maker)).for_each(|call| check_client(call, maker, &by_type, out));
    }
    for call in workspace.calls_to("reqwest::get").filter(|call| !is_bounded(*call)) {
        if let Some(service) = workspace.run_by(call) {
            out.push(finding("`reqwest::get` waits for its answer without a limit", call).service(&service.name));
        }
    }
}

fn check_client<'w>(call: Node<'w>, maker: &str, by_type: &dyn Fn() -> Vec<Node<'w>>, out: &mut Vec<Diagnostic>) {
    let workspace = call.workspace;
    let Some(service) = workspace.run_by(call) else { return };
    let fate = call.fate(&|name| !REQUEST_METHODS.contains(&name));
    if fate.methods.iter().any(|method| method.method().is_some_and(names_limit)) {
        return;
    }
    let seen = fate.methods.into_iter().filter(|method| is_request(*method)).collect::<Vec<_>>();
    let shared = fate.given.iter().any(|taker| taker.last_name().is_some_and(|name| STATE.contains(&name)));
    let (requests, confidence) = match (seen.is_empty(), shared) {
        (false, _) => (seen, Confidence::High),
        (true, true) => {
            let own = by_type().into_iter().filter(|request| workspace.runs(service, *request));
            (own.collect(), Confidence::Medium)
        }
        (true, false) => return,
    };
    let mut unbounded =
        requests.into_iter().filter(|request| workspace.run_by(*request).is_some() && !request_is_bounded(*request));
    let Some(first) = unbounded.next() else { return };
    let what = format!("a client of `{maker}` waits for answers without a limit");
    let request = if first.file == call.file && first.at() == call.at() { None } else { Some(first.name_at()) };
    let mut diagnostic = finding(&what, call).confidence(confidence).service(&service.name);
    if let Some(fix) = fix(call) {
        diagnostic = diagnostic.fix(fix);
    }
    if let Some(request) = request {
        diagnostic = diagnostic.related(request, "this request may wait for ever");
    }
    out.push(diagnostic);
}

fn finding(what: &str, call: Node<'_>) -> Diagnostic {
    Diagnostic::new(what, call.name_at(), "has no timeout")
        .help("build it with `reqwest::Client::builder().timeout(limit)`, or call `.timeout(limit)` on each request")
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
    if handed || fate.methods.iter().any(|method| method.method().is_some_and(names_limit)) || is_bounded(request) {
        return true;
    }
    // A function may build the request for others to send.
    let mut sent = fate.methods.into_iter().filter(|method| method.method() == Some("send")).peekable();
    sent.peek().is_some() && sent.all(is_bounded)
}

/// Server-sent events stay open on purpose.
fn is_event_stream(taker: Node<'_>) -> bool {
    taker.path().is_some_and(|path| path.iter().any(|name| name.contains("EventSource")))
}

fn is_request(method: Node<'_>) -> bool {
    method.method().is_some_and(|name| REQUEST_METHODS.contains(&name)) && method.arguments().next().is_some()
}

/// Requests of clients that are known by their type alone: a handler's parameter.
fn requests_by_type(workspace: &Workspace) -> Vec<Node<'_>> {
    // `get` stands everywhere: only where something is sent, or a request is handed back, may it be one.
    let hands_back = |function: FunctionRef| {
        let returned = workspace.function(function).returns.iter();
        returned.flat_map(|ty| std::iter::once(ty).chain(&ty.arguments)).any(|ty| ty.name() == Some("RequestBuilder"))
    };
    let may = |function, outline: &Outline| outline.names("send") || outline.names("execute") || hands_back(function);
    let methods = REQUEST_METHODS.iter().flat_map(|name| workspace.named_if(name, may));
    methods.filter(|method| is_request(*method) && method.receiver().is_some_and(|on| on.is_a("reqwest::Client"))).collect()
}

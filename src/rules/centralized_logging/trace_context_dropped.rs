use super::setup::{names_unread_crate, reach};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::given::{Given, Scope, given};
use crate::rules::libraries::REQUEST_METHODS;
use crate::rules::paths::same_name;
use crate::rules::resiliency_patterns::{grpc, http_clients};
use crate::rules::service_discovery::address::address;
use crate::rules::words::has_word;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::values::constant_text;
use crate::workspace::{Location, Service, Workspace};

crate::declare_rule! {
    /// A traced service calls another one without saying which trace it is in.
    ///
    /// ## Why is this bad?
    /// The called service starts a trace of its own, and the one request becomes two that nothing connects: the store shows who was
    /// slow, and not for whom. Setting a propagator does not do it: something has to write the headers.
    ///
    /// ## Example
    /// ```rust
    /// let order = reqwest::get("http://orders:8080/v1/orders/7").await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let client = reqwest_middleware::ClientBuilder::new(client).with(reqwest_tracing::TracingMiddleware::default()).build();
    /// ```
    /// or by hand, for reqwest and tonic alike:
    /// ```rust
    /// global::get_text_map_propagator(|propagator| propagator.inject_context(&Span::current().context(), &mut HeaderInjector(headers)));
    /// ```
    ///
    /// ## Not reported when
    /// - the service exports no spans (OpenTelemetry, by whatever exporter): it has no context to lose;
    /// - anything that the binary reaches injects: a function, method or type named so, a header `traceparent`, a crate such as
    ///   `reqwest_tracing`, `tonic_tracing_opentelemetry` or `tower_otel`, or a crate that is not from crates.io;
    /// - it is not seen to call a service: a tonic client (other than an exporter's, or one of a public address), a request to the name of a service of this workspace, or a variable that it
    ///   reads and the manifests or a compose file set to one. What others run may not care for the context.
    ///
    /// ## Source
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/); [OpenTelemetry: context propagation](https://opentelemetry.io/docs/concepts/context-propagation/);
    /// opentelemetry 0.31 `src/propagation/text_map_propagator.rs` (`inject_context` is for the caller to call).
    "trace-context-dropped", "MSVC806", Practice::CentralizedLogging, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Makers of what sends spans away.
const EXPORTERS: &[&str] = &[
    "opentelemetry_otlp",
    "opentelemetry_jaeger",
    "opentelemetry_zipkin",
    "opentelemetry_datadog",
    "opentelemetry_application_insights",
    "tracing_opentelemetry",
];
/// Words in the names of files that send spans away.
const TELEMETRY: &[&str] = &["exporter", "telemetry", "tracing", "trace", "tracer", "otel", "otlp", "observability"];
/// Parts of names of what writes the headers.
const INJECTS: &[&str] = &["inject", "traceparent", "tracing_middleware", "tracingmiddleware", "propagate", "b3", "sentry-trace"];
/// Crates that do it.
const CRATES: &[&str] = &[
    "reqwest_tracing",
    "reqwest_middleware",
    "tonic_tracing_opentelemetry",
    "tower_otel",
    "reqwest_otel",
    "otel_instrumentation",
    "opentelemetry_tower",
    "opentelemetry_http",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let (Some(served), Some(reach)) = (workspace.served(service), reach(workspace, service)) else { return };
    let exporter = |node: &Node<'_>| {
        let path = matches!(node.kind(), ExprKind::Path(_)).then(|| node.external()).flatten();
        path.is_some_and(|path| EXPORTERS.contains(&path.split("::").next().unwrap_or_default()))
    };
    let exports = |path: &str| EXPORTERS.contains(&path.split("::").next().unwrap_or_default());
    let Some(exporter) = reach.expressions_where(workspace, |_| false, exports).find(exporter) else { return };
    let Some((at, what)) = outbound(workspace, service) else { return };
    let of_crate = |path: &str| CRATES.iter().any(|known| path.starts_with(known));
    if served.texts(injecting).next().is_some()
        || reach.expressions_where(workspace, injecting, of_crate).any(injects)
        || names_unread_crate(workspace, reach)
    {
        return;
    }
    let diagnostic = Diagnostic::new("a service is called without the trace that its caller is in", at, what)
        .related(exporter.at(), "spans are exported, so there is a trace")
        .help("inject the context into the headers: `reqwest_tracing::TracingMiddleware`, a tonic interceptor, or `inject_context` by hand")
        .evidence("anything named for injection, `traceparent`, crates of middleware that do it, in all that this binary reaches")
        .confidence(Confidence::Medium);
    out.push(diagnostic);
}

/// Where the service calls another one, else where it reads the address of one that it has a client for.
fn outbound(workspace: &Workspace, service: &Service) -> Option<(Location, &'static str)> {
    let channels = grpc::clients(workspace).into_iter().filter(leads_to_service).map(|client| client.made);
    let requests = REQUEST_METHODS.iter().flat_map(|name| workspace.named(name)).filter(|call| calls_service(*call, service));
    let call = channels.chain(requests).find(|call| workspace.runs(service, *call));
    call.map(|call| (call.name_at(), "sends no `traceparent`")).or_else(|| {
        let mut clients = http_clients::MAKERS.iter().flat_map(|maker| workspace.calls_to(maker));
        clients.find(|made| workspace.runs(service, *made))?;
        Some((address_read(workspace, service)?, "is called by this address, with no `traceparent`"))
    })
}

/// Where the service reads a variable that the manifests or a compose file set to the address of another one.
fn address_read(workspace: &Workspace, service: &Service) -> Option<Location> {
    let by_containers = given(workspace, service).into_iter().filter(|(scope, _)| *scope != Scope::Settings);
    let leads_to_other =
        |given: &Given<'_>| is_address_of_other(workspace, service, given.value) && given.value.starts_with("http");
    let read = |given: Given<'_>| service.environment.iter().find(|variable| variable.name == given.key).map(|known| known.at);
    by_containers.flat_map(|(_, given)| given).filter(leads_to_other).find_map(read)
}

/// Not an exporter's channel, nor one to this machine or to a public address.
fn leads_to_service(client: &grpc::Client<'_>) -> bool {
    let file = client.made.workspace.sources.path(client.made.facts().file);
    let is_telemetry = file.file_stem().is_some_and(|name| has_word(name, TELEMETRY));
    let exports = client.given.iter().any(|taker| taker.method() == Some("with_channel"));
    let texts = client.made.arguments().flat_map(Node::descendants).filter_map(Node::text);
    let is_public = texts.filter_map(address).any(|address| !address.moves());
    !client.is_local() && !is_telemetry && !exports && !is_public
}

/// `client.get("http://billing:8080/…")`, `reqwest::get(format!("http://billing/{id}"))`: by the name of another service.
fn calls_service(call: Node<'_>, service: &Service) -> bool {
    let is_other = |text: String| is_address_of_other(call.workspace, service, &text);
    let url = call.arguments().next().map(|url| url.binding().unwrap_or(url));
    url.is_some_and(|url| url.descendants().any(|node| constant_text(node).is_some_and(is_other)))
}

fn is_address_of_other(workspace: &Workspace, service: &Service, text: &str) -> bool {
    let host = address(text).map(|address| address.host).unwrap_or_default();
    let first = host.split('.').next().unwrap_or_default();
    workspace.services.iter().any(|other| !std::ptr::eq(other, service) && same_name(&other.name, first))
}

fn injecting(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    INJECTS.iter().any(|part| name.contains(part))
}

fn injects(node: Node<'_>) -> bool {
    let named = injecting;
    match node.kind() {
        ExprKind::Method { name, .. } => named(name),
        ExprKind::Path(path) | ExprKind::Struct { path, .. } | ExprKind::Macro { path, .. } => {
            let owner = |path: &str| CRATES.iter().any(|known| path.starts_with(known));
            path.iter().any(|name| named(name)) || node.external().is_some_and(owner)
        }
        _ => node.text().is_some_and(named),
    }
}

use cargo_metadata::semver::Version;

use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::given::{Given, Scope, given};
use crate::rules::libraries::{HttpClient, Otlp, version};
use crate::workspace::manifest::{Dependency, DependencyKind};
use crate::workspace::query::Node;
use crate::workspace::values::constant_text;
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// An OTLP exporter is built in a way that never exports anything.
    ///
    /// ## Why is this bad?
    /// The program compiles and starts, and the exporter fails in the background: its thread panics at the first batch, or every
    /// connection is refused. Traces are missing from the day it ships, and nothing says so but a line on standard error.
    ///
    /// ## Example
    /// ```toml
    /// opentelemetry-otlp = { version = "0.33", default-features = false, features = ["http-proto", "reqwest-client", "trace"] }
    /// ```
    /// ```rust
    /// let exporter = SpanExporter::builder().with_http().build()?;
    /// let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    /// ```
    ///
    /// ## Use instead
    /// ```toml
    /// opentelemetry-otlp = { version = "0.33", default-features = false, features = ["http-proto", "reqwest-blocking-client", "trace"] }
    /// ```
    /// since the processor sends from a thread of its own, which has no runtime; or `with_tonic()`. For an `https://` endpoint over gRPC, a feature
    /// such as `tls-roots`, and `with_tls_config(ClientTlsConfig::new().with_enabled_roots())`.
    ///
    /// ## Not reported when
    /// - the processor runs on a runtime (`span_processor_with_async_runtime` and its kin), or is not one of the SDK's own;
    /// - the exporter is not seen to reach such a processor, or gets a client or a channel that is not known;
    /// - the version in Cargo.lock chooses otherwise: the SDK before 0.28 exports on the runtime, opentelemetry-otlp before 0.32 refuses to
    ///   build an exporter with two clients, from 0.32 it refuses `https://` without TLS;
    /// - no service runs it.
    ///
    /// ## Source
    /// opentelemetry_sdk 0.28 to 0.33 `src/trace/span_processor.rs` (a thread that blocks on the export; its documentation rules out reqwest's async
    /// client and hyper), likewise `src/logs/batch_log_processor.rs` and `src/metrics/periodic_reader.rs`; opentelemetry-otlp 0.28 to 0.33
    /// `src/exporter/http/mod.rs` (which client is made) and `src/exporter/tonic/mod.rs`; opentelemetry-http 0.33 `src/lib.rs` (awaits reqwest
    /// where it is called); tonic 0.14 `src/transport/channel/service/connector.rs` (`HttpsUriWithoutTlsSupport`).
    "otlp-never-exports", "MSVC808", Practice::CentralizedLogging, Level::Deny, Tier::Default, Check::Workspace(check)
}

const PACKAGE: &str = "opentelemetry-otlp";
/// Makers of the SDK's processors that send from a thread of their own.
const PROCESSORS: &[&str] = &[
    "opentelemetry_sdk::trace::BatchSpanProcessor::builder",
    "opentelemetry_sdk::logs::BatchLogProcessor::builder",
    "opentelemetry_sdk::metrics::PeriodicReader::builder",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    workspace.methods("with_http").for_each(|call| over_http(call, out));
    workspace.methods("with_tonic").for_each(|call| over_grpc(call, out));
}

/// The service that runs an exporter's builder, and the version of the crate; `None` for other builders.
fn exporter(call: Node<'_>) -> Option<(&str, Version)> {
    let made = call.receivers().last()?.external()?;
    let service = made.starts_with("opentelemetry_otlp::").then(|| call.workspace.run_by(call))??;
    Some((&service.name, version(call, PACKAGE)?))
}

fn over_http(call: Node<'_>, out: &mut Vec<Diagnostic>) {
    let Some((service, version)) = exporter(call) else { return };
    let fate = call.fate(&|_| true);
    let given = fate.methods.iter().find(|method| method.method() == Some("with_http_client"));
    let Some(processor) = fate.given.iter().find(|taker| sends_from_thread(**taker)) else { return };
    let dependencies = dependencies(call);
    // A fork may do as it likes.
    if dependencies.iter().any(|dependency| !dependency.published) {
        return;
    }
    let client = match given {
        Some(given) if given.arguments().next().is_some_and(|client| client.is_a("reqwest::Client")) => HttpClient::Reqwest,
        Some(_) => return,
        None => match Otlp::new(&version, dependencies.iter().copied()).http_client() {
            Some(client) => client,
            None => return,
        },
    };
    if !client.needs_runtime() || Otlp::exports_on_runtime(&version) {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        "this exporter panics in the background, and exports nothing",
        call.name_at(),
        format!("sends with {}, which needs a runtime", client.name()),
    )
    .related(processor.name_at(), "sends from a thread of its own, which has none")
    .help("ask for the feature `reqwest-blocking-client` in place of the async client, or send by gRPC: `with_tonic()`")
    .evidence("a processor that runs on a runtime, a client that is given, the features of all packages of this workspace")
    .service(service);
    let asked: Vec<Location> = places(&dependencies, client.feature());
    match given {
        Some(given) => diagnostic = diagnostic.related(given.name_at(), "this client"),
        None => {
            for at in &asked {
                diagnostic = diagnostic.related(*at, "chooses that client");
            }
            if !asked.is_empty() && !is_given_elsewhere(call) {
                let fix = Fix::safe("send with reqwest's blocking client");
                let edit = |fix: Fix, at: &Location| fix.replace(*at, "\"reqwest-blocking-client\"");
                diagnostic = diagnostic.fix(asked.iter().fold(fix, edit));
            }
        }
    }
    out.push(diagnostic);
}

/// Whether another exporter of the same workspace gets a client, for which the feature may be there.
fn is_given_elsewhere(call: Node<'_>) -> bool {
    let workspace_of = |node: Node<'_>| node.packages().next().map(|package| package.workspace.clone());
    call.workspace.methods("with_http_client").any(|other| workspace_of(other) == workspace_of(call))
}

/// `with_batch_exporter(exporter)`; before 0.28, and on a runtime, these take a runtime too.
fn sends_from_thread(taker: Node<'_>) -> bool {
    let alone = taker.arguments().count() == 1;
    let maker = taker.external().is_some_and(|path| PROCESSORS.contains(&path));
    alone && (maker || matches!(taker.method(), Some("with_batch_exporter" | "with_periodic_exporter")))
}

/// `https://` without a TLS configuration: every connection fails.
fn over_grpc(call: Node<'_>, out: &mut Vec<Diagnostic>) {
    let Some((service, version)) = exporter(call).filter(|(_, version)| !Otlp::sees_to_tls(version)) else { return };
    let methods = call.fate(&|_| true).methods;
    let named = |name: &str| methods.iter().find(|method| method.method() == Some(name));
    if named("with_tls_config").or(named("with_channel")).is_some() {
        return;
    }
    let (at, asks) = match named("with_endpoint") {
        Some(endpoint) => {
            let Some(address) = endpoint.arguments().next() else { return };
            let written = constant_text(address.binding().unwrap_or(address));
            (endpoint.name_at(), written.filter(|text| text.starts_with("https://")).map(|_| endpoint.name_at()))
        }
        None => (call.name_at(), asked_by_environment(call.workspace, service)),
    };
    let Some(asks) = asks else { return };
    let (also, how) = if asks == at { (call.name_at(), "") } else { (asks, "asks for it, and ") };
    let diagnostic = Diagnostic::new("this exporter never connects, and exports nothing", at, "asks for TLS")
        .related(also, format!("{how}opentelemetry-otlp {version} leaves TLS to `with_tls_config`"))
        .help("enable a feature such as `tls-roots`, and call `.with_tls_config(ClientTlsConfig::new().with_enabled_roots())`")
        .evidence("`with_tls_config`, `with_channel`")
        .service(service);
    out.push(diagnostic);
}

/// Where the manifests or a compose file give the service an endpoint for TLS.
fn asked_by_environment(workspace: &Workspace, service: &str) -> Option<Location> {
    const VARIABLES: &[&str] = &["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    let service = workspace.services.iter().find(|known| known.name == service)?;
    let by_containers = given(workspace, service).into_iter().filter(|(scope, _)| *scope != Scope::Settings);
    let asks = |given: &Given<'_>| VARIABLES.contains(&given.key) && given.value.starts_with("https://");
    by_containers.flat_map(|(_, given)| given).find(asks).map(|given| given.at)
}

/// What the packages that are built together ask of the crate.
fn dependencies(call: Node<'_>) -> Vec<&Dependency> {
    let Some(own) = call.packages().next() else { return Vec::new() };
    let together = call.workspace.packages.iter().filter(|package| package.workspace == own.workspace);
    let asked = together.flat_map(|package| &package.dependencies);
    asked.filter(|known| known.package == PACKAGE && known.kind == DependencyKind::Normal).collect()
}

fn places(dependencies: &[&Dependency], feature: &str) -> Vec<Location> {
    let asked = dependencies.iter().flat_map(|dependency| &dependency.feature_places);
    let mut places: Vec<Location> = asked.filter(|(name, _)| name == feature).map(|(_, at)| *at).collect();
    places.sort_unstable();
    places.dedup();
    places
}

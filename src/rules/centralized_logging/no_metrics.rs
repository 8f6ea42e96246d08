use super::setup::main;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::marks::{MESHES, are_in_manifests};
use crate::rules::words::has_word;
use crate::workspace::manifest::{Dependency, DependencyKind};
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// Nothing measures a service.
    ///
    /// ## Why is this bad?
    /// How many requests come, how many fail and how long they take is the first thing to know when something is slow or broken,
    /// and the only thing to alert on. Logs do not answer it, and the platform sees only whether the process runs.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list));
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let (layer, handle) = axum_prometheus::PrometheusMetricLayer::pair();
    /// let app = Router::new()
    ///     .route("/v1/orders", get(list))
    ///     .layer(layer)
    ///     .route("/metrics", get(|| async move { handle.render() }));
    /// ```
    /// or OpenTelemetry's metrics, or a service mesh, whose proxies count requests.
    ///
    /// ## Not reported when
    /// - a package that the binary is built of depends on something for metrics, traces or monitoring, or on a crate that is not from
    ///   crates.io;
    /// - it answers a path for metrics;
    /// - the manifests have a mesh (Istio, Linkerd, Consul, Envoy), a monitor (`ServiceMonitor`, `PodMonitor`) or annotations of Prometheus or
    ///   OpenTelemetry;
    /// - it serves no callers: workers, tools.
    ///
    /// ## Source
    /// "Insufficient monitoring", MARS (Tighilt et al., 2023); the RED method (Wilkie); Richardson, "Application metrics", microservices.io.
    "no-metrics", "MSVC805", Practice::CentralizedLogging, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Parts of the names of packages and features that measure.
const MEASURES: &[&str] = &[
    "metric",
    "prom",
    "telemetry",
    "otel",
    "statsd",
    "datadog",
    "cadence",
    "influx",
    "newrelic",
    "sentry",
    "elastic-apm",
    "measured",
    "vise",
    "skywalking",
    "minitrace",
    "fastrace",
    "loco-rs",
    "pingora",
    "shuttle",
    "foundations",
    "zipkin",
    "jaeger",
];
/// Other words of manifests by which something measures it.
const WATCHED: &[&str] =
    &["envoy", "prometheus", "opentelemetry", "datadoghq", "monitoring.coreos.com", "operator.victoriametrics"];
/// Images of proxies that do.
const PROXIES: &[&str] = &["envoy", "istio", "linkerd", "consul", "dapr"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let (Some(served), Some(main)) = (workspace.served(service), main(workspace, service)) else { return };
    if served.traffic().is_empty() || service.metrics.is_some() || is_watched(workspace) {
        return;
    }
    let Some(binary) = workspace.binary(service) else { return };
    let crates =
        workspace.names.reach(binary).into_iter().map(|krate| &workspace.packages[workspace.names.crates[krate].package]);
    if crates.flat_map(|package| &package.dependencies).any(may_measure) {
        return;
    }
    let answers = |path: &str| path.starts_with('/') && has_word(path, &["metrics", "prometheus", "stats"]);
    if served.texts(answers).next().is_some() {
        return;
    }
    let diagnostic = Diagnostic::new("nothing measures this service", workspace.function_location(main), "starts no metrics")
        .help("count requests, errors and how long they take, at `/metrics` or through OpenTelemetry")
        .evidence("packages for metrics or traces, in all that this binary is built of; a route for metrics")
        .evidence("a mesh, a monitor or annotations for one in the manifests")
        .confidence(Confidence::Medium);
    out.push(diagnostic);
}

fn may_measure(dependency: &Dependency) -> bool {
    let names = |text: &str| MEASURES.iter().any(|part| text.to_ascii_lowercase().contains(part));
    let unread = dependency.local.is_none() && !dependency.published;
    dependency.kind == DependencyKind::Normal
        && (unread || names(&dependency.package) || dependency.features.iter().any(|feature| names(feature)))
}

fn is_watched(workspace: &Workspace) -> bool {
    let mut composed = workspace.compose.iter().flat_map(|file| &file.services).filter_map(|service| service.image.as_ref());
    are_in_manifests(workspace, MESHES)
        || are_in_manifests(workspace, WATCHED)
        || composed.any(|image| PROXIES.iter().any(|proxy| image.name.contains(proxy)))
}

use super::guards::{has_unknown_layer, is_named};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::edge::opening;
use crate::workspace::yaml::{Node, Value};
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A service that anybody may call lets each caller send as much as it likes.
    ///
    /// ## Why is this bad?
    /// One client in a loop, one crawler or one attacker takes what all others need; a log-in that may be tried any number of times is
    /// guessed; and what each request costs downstream has no upper bound.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Ingress
    /// spec:
    ///   rules:
    ///     - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: orders, port: {number: 8080}}}}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// metadata:
    ///   annotations: {nginx.ingress.kubernetes.io/limit-rps: "50"}
    /// ```
    /// or in the service, by client: `tower_governor` for axum and tonic, `actix-governor`, poem's and salvo's own, answering 429 with `Retry-After`.
    ///
    /// ## Not reported when
    /// - no manifest opens a way to the service (an Ingress or a route to its Service, a LoadBalancer, a NodePort), and it does not call itself
    ///   public (`public = true` in `[package.metadata.msvc]`);
    /// - something that the service reaches, or a library it may use, is named for it: rate limit, governor, throttle, quota, leaky bucket;
    /// - any manifest of the tree speaks of one: annotations and plugins of ingress controllers, Envoy's and Istio's, a web application firewall;
    /// - a middleware is of a crate whose source was not read: it may limit.
    ///
    /// ## Source
    /// OWASP API Security Top 10 (2023), API4 "Unrestricted Resource Consumption"; ingress-nginx documentation, "Annotations: Rate Limiting";
    /// Google SRE book, "Handling Overload" ("per-customer limits").
    "no-rate-limit", "MSVC617", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// In names of what limits how often somebody may ask.
const LIMITS: &[&str] =
    &["ratelimit", "governor", "throttl", "quota", "leakybucket", "tokenbucket", "toomanyrequests", "recaptcha"];
/// The same, in manifests, whatever the controller calls it.
const IN_MANIFESTS: &[&str] = &[
    "ratelimit",
    "rate-limit",
    "rate_limit",
    "limit-rps",
    "limit-rpm",
    "limit-connections",
    "limit-req",
    "limit_req",
    "throttl",
    "wafv2",
    "waf-",
    "modsecurity",
    "securitypolicy",
    "security-policy",
    "cloudflare",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let servers = served.traffic();
    let Some(server) = servers.first() else { return };
    let Some(opening) = opening(workspace, service) else { return };
    let in_front = workspace.kubernetes.iter().any(|object| speaks_of_limits(&object.node));
    if in_front || has_unknown_layer(&served) || is_named(workspace, service, LIMITS) {
        return;
    }
    let diagnostic = Diagnostic::new(
        format!("callers from outside may send `{}` as much as they like", service.name),
        opening,
        "opens it to callers from outside",
    )
    .related(server.at, "no limit on what one caller sends")
    .help("limit requests by client, here or in the service, and answer 429 with `Retry-After`")
    .evidence("a rate limit, a governor, a quota, in all that this binary reaches and in its libraries")
    .evidence("annotations, plugins and policies of gateways that limit")
    .confidence(Confidence::Medium);
    out.push(diagnostic);
}

/// Whether any text of a tree speaks of a limit.
fn speaks_of_limits(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => {
            let text = text.to_ascii_lowercase();
            IN_MANIFESTS.iter().any(|word| text.contains(word))
        }
        Value::Sequence(items) => items.iter().any(speaks_of_limits),
        Value::Mapping(entries) => entries.iter().any(|(key, value)| speaks_of_limits(key) || speaks_of_limits(value)),
    }
}

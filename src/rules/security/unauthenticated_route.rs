use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::shipped::is_elsewhere;
use crate::rules::containers::workloads::{self, Workload};
use crate::rules::edge::opened;
use crate::rules::marks::{MESHES, are_in_manifests};
use crate::rules::resiliency_patterns::requests::is_rpc;
use crate::rules::words::has_word;
use crate::service::Tls;
use crate::workspace::http::{Purpose, Route, Served, purpose};
use crate::workspace::kubernetes::Object;
use crate::workspace::manifest::DependencyKind;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Type};
use crate::workspace::{Location, Service, Workspace};

crate::declare_rule! {
    /// A service answers the outside, and never asks who is calling.
    ///
    /// ## Why is this bad?
    /// Whoever finds the address may read and change what the service keeps. A service that is open to the outside has callers
    /// that nobody knows, whatever was meant.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create));
    /// ```
    /// ```yaml
    /// kind: Ingress
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create)).route_layer(from_fn(require_token));
    /// ```
    ///
    /// ## Not reported when
    /// - nothing shows that it is open to the outside: an Ingress or a route of the Gateway API that leads to it, a Service of type `LoadBalancer` or
    ///   `NodePort`, `public = true` in `[package.metadata.msvc]`;
    /// - anything that the binary reaches or depends on is named for it: auth, token, session, claims, login, key, signature, user, password;
    /// - it depends on a crate that is not from crates.io, or serves mTLS;
    /// - the manifests have a mesh, or a policy, annotation or middleware named for authentication;
    /// - it answers only health, metrics, documentation, static files, webhooks and log-in pages.
    ///
    /// ## Source
    /// OWASP API Security Top 10, API2:2023 "Broken Authentication".
    "unauthenticated-route", "MSVC707", Practice::Security, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Words in names by which a service asks who calls.
const WORDS: &[&str] = &[
    "auth",
    "authn",
    "authz",
    "oauth",
    "oauth2",
    "oidc",
    "saml",
    "authenticate",
    "authenticated",
    "authentication",
    "authorize",
    "authorized",
    "authorization",
    "authorizer",
    "unauthorized",
    "forbidden",
    "jwt",
    "jwks",
    "jsonwebtoken",
    "token",
    "tokens",
    "bearer",
    "claims",
    "session",
    "sessions",
    "login",
    "credential",
    "credentials",
    "apikey",
    "key",
    "hmac",
    "signature",
    "signed",
    "identity",
    "user",
    "users",
    "password",
    "principal",
    "permission",
    "permissions",
    "role",
    "roles",
    "acl",
    "csrf",
    "captcha",
    "guard",
    "x509",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let route = served.routes.iter().find(|route| is_business(route)).map(|route| route.at);
    let Some(open) = route.or_else(|| rpc(workspace, &served)).filter(|_| !served.traffic().is_empty()) else { return };
    let is_mutual = service.tls.as_ref().is_some_and(|tls| tls.value == Tls::Mtls);
    if is_mutual || asks_in_manifests(workspace) || asks(workspace, service, &served) {
        return;
    }
    let Some((door, text)) = door(workspace, service) else { return };
    let diagnostic =
        Diagnostic::new("this service is open to the outside, and asks nobody who they are", open, "anybody may call it")
            .related(door, text)
            .help("ask for a token in a layer around these routes, or at the gateway in front of them")
            .evidence("names for authentication in all that this binary reaches, and in its packages")
            .evidence("a mesh, a policy, an annotation or a middleware for it in the manifests")
            .confidence(Confidence::Medium);
    out.push(diagnostic);
}

fn is_business(route: &Route) -> bool {
    route.known && !route.paths.is_empty() && route.paths.iter().all(|path| matches!(purpose(path), Purpose::Business))
}

/// A method of a gRPC service.
fn rpc(workspace: &Workspace, served: &Served<'_>) -> Option<Location> {
    let methods = served.reach.functions().iter().copied().filter(|&function| is_rpc(workspace, function));
    methods.map(|function| workspace.function_location(function)).min()
}

/// Whether anything in the service could ask.
fn asks(workspace: &Workspace, service: &Service, served: &Served<'_>) -> bool {
    let named = |name: &str| has_word(name, WORDS);
    let in_code = |node: Node<'_>| match node.kind() {
        ExprKind::Path(path) | ExprKind::Struct { path, .. } | ExprKind::Macro { path, .. } => {
            path.iter().any(|name| named(name))
        }
        ExprKind::Method { name, .. } | ExprKind::Field { name, .. } => named(name),
        _ => false,
    };
    let in_text = |text: &str| text.len() < 40 && named(text);
    let in_type = |ty: &Type| ty.path.iter().chain(ty.arguments.iter().flat_map(|ty| &ty.path)).any(|name| named(name));
    let functions = served.reach.functions().iter().map(|function| workspace.function(*function));
    let in_signature =
        functions.into_iter().any(|function| named(&function.name) || function.parameters.iter().any(|known| in_type(&known.ty)));
    let crates = workspace.binary(service).map(|binary| workspace.names.reach(binary)).unwrap_or_default();
    let packages = crates.into_iter().map(|krate| &workspace.packages[workspace.names.crates[krate].package]);
    let mut dependencies =
        packages.flat_map(|package| &package.dependencies).filter(|dependency| dependency.kind == DependencyKind::Normal);
    let in_manifest = dependencies.any(|known| named(&known.package) || (known.local.is_none() && !known.published));
    in_manifest
        || in_signature
        || served.texts(in_text).next().is_some()
        || served.reach.expressions_where(workspace, named, |_| false).any(in_code)
}

/// Whether something in front of it may: the manifests say so.
fn asks_in_manifests(workspace: &Workspace) -> bool {
    let named = |text: &str| text.to_ascii_lowercase().contains("auth");
    let asks = |object: &Object| {
        named(&object.kind.value)
            || matches!(
                object.kind.value.as_str(),
                "SecurityPolicy" | "Middleware" | "KongPlugin" | "ApisixPluginConfig" | "Plugin"
            )
            || object.annotations.iter().any(|mark| named(&mark.name) || mark.value.as_deref().is_some_and(named))
    };
    workspace.kubernetes.iter().any(asks) || are_in_manifests(workspace, MESHES)
}

/// What opens the service to the outside.
fn door(workspace: &Workspace, service: &Service) -> Option<(Location, String)> {
    if let Some(found) = service.public.as_ref().filter(|public| public.value) {
        return Some((found.at, "states that it is public".to_owned()));
    }
    let own = |workload: &Workload<'_>| workload.service.is_some_and(|other| std::ptr::eq(other, service));
    let ships = |object: &&Object| !is_elsewhere(workspace.sources.path(object.file));
    workloads::servers(workspace).filter(own).find_map(|Workload { object, pod, .. }| {
        let mut fronts = workspace.kubernetes.iter().filter(ships).filter(|front| workloads::selects(front, object, pod));
        fronts.find_map(|front| {
            let leads = |route: &&Object| {
                matches!(route.kind.value.as_str(), "Ingress" | "HTTPRoute" | "GRPCRoute" | "IngressRoute")
                    && workloads::mentions(&route.node, &front.name.value)
            };
            let ingress = workspace.kubernetes.iter().filter(ships).find(leads);
            let (door, span) = match (opened(front), ingress) {
                (Some(kind), _) => (front, kind.span),
                (None, Some(ingress)) => (ingress, ingress.kind.span),
                (None, None) => return None,
            };
            Some((Location::new(door.file, span), format!("this {} opens it", door.kind.value)))
        })
    })
}

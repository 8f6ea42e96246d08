use super::layers::{self, APPLY};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::http::{Framework, Purpose, Served, purpose};
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A server never gives up on a request.
    ///
    /// ## Why is this bad?
    /// One slow dependency, lock or query keeps requests open without end. They hold memory, connections and pool slots until
    /// the service answers nobody, and its callers have long given up.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list));
    /// axum::serve(listener, app).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new()
    ///     .route("/v1/orders", get(list))
    ///     .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    /// ```
    /// tonic: `Server::builder().timeout(Duration::from_secs(5))`. actix-web: a middleware (`from_fn`) around
    /// `tokio::time::timeout(limit, next.call(request))`. poem: tower's `TimeoutLayer` through `.compat()`. rocket has no middleware that can
    /// end a handler: `tokio::time::timeout` in the handlers that wait for others.
    ///
    /// ## Not reported when
    /// - something named for a timeout is applied as a layer, middleware, hoop or fairing, in any function or crate that the service
    ///   reaches: tower-http's `TimeoutLayer`, tower's `timeout`, `ServiceBuilder::timeout`, tonic's `Server::timeout`, salvo's `Timeout`;
    /// - a middleware wraps the rest in `tokio::time::timeout`, or a tower service of your own starts a `tokio::time::sleep` beside it;
    /// - it serves only WebSockets, server-sent events, health, metrics, profiles, the log's level or static files;
    /// - its function or module is named for administration or profiling beside another server, or stands in for something (`mod sim`).
    ///
    /// A timeout of the mesh or the ingress lowers the confidence: it answers the caller, and the work goes on.
    ///
    /// ## Source
    /// No framework limits a request by default: axum 0.8 `serve/mod.rs`; tonic 0.14 `transport/server/mod.rs` (`timeout: None`); actix-http 3
    /// `config.rs` (`client_request_timeout` limits the reading of the head, 5 s); rocket 0.5 `shutdown/config.rs`; poem 3 `server.rs`
    /// (`idle_timeout` only); warp 0.3 and 0.4 (none). "Timeouts", MARS (Tighilt et al., 2023); Nygard, "Release It!".
    "server-without-timeout", "MSVC608", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Service(check)
}

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let servers = served.traffic();
    let right = || match () {
        () if has_timeout(&served) => Some("what this binary serves passes a timeout"),
        () if serves_streams_only(&served) => Some("it serves streams only"),
        () => None,
    };
    if let Some(why) = servers.first().and_then(|_| right()) {
        return servers.iter().for_each(|server| workspace.spared(|| server.at, why));
    }
    let mesh = has_mesh_timeout(workspace);
    for server in servers {
        let mut diagnostic = Diagnostic::new(
            format!("this {} server has no request timeout", server.framework.name()),
            server.at,
            "a request may stay open without end",
        )
        .help(help(server.framework))
        .evidence("a layer, middleware, hoop or fairing named for a timeout, in all that this binary reaches")
        .evidence("a middleware that wraps the rest in `tokio::time::timeout`")
        .confidence(match server.framework {
            _ if mesh => Confidence::Low,
            // Nothing that one line can mend: the timeout stands where the work is.
            Framework::Rocket | Framework::Dropshot | Framework::HyperConnection | Framework::Hyper => Confidence::Medium,
            _ => Confidence::High,
        });
        if server.framework == Framework::Tonic {
            let fix = Fix::unsafe_("end requests after 30 s");
            let maker = workspace.node(server.place);
            diagnostic = diagnostic.fix(fix.after(maker.at(), ".timeout(std::time::Duration::from_secs(30))"));
        }
        if mesh {
            diagnostic = diagnostic.evidence("a manifest sets a timeout at the edge, which does not end the work");
        }
        out.push(diagnostic);
    }
}

fn help(framework: Framework) -> &'static str {
    match framework {
        Framework::Axum | Framework::AxumServer | Framework::Hyper | Framework::HyperConnection => {
            "add `.layer(tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit))` around the routes"
        }
        Framework::Tonic => "add `.timeout(limit)` to `Server::builder()`",
        Framework::Actix | Framework::Ntex => {
            "wrap the app in a middleware that runs `tokio::time::timeout(limit, next.call(request))` and answers 504"
        }
        Framework::Poem => {
            "add `.with(TimeoutLayer::new(limit).compat())`, with tower's `TimeoutLayer` and poem's feature `tower-compat`"
        }
        Framework::Salvo => "add `.hoop(salvo::timeout::Timeout::new(limit))` to the router",
        Framework::Warp => "serve it through tower: `ServiceBuilder::new().timeout(limit).service(warp::service(routes))`",
        Framework::Rocket => "rocket cannot end a handler: wrap what the handlers wait for in `tokio::time::timeout(limit, …)`",
        Framework::Dropshot | Framework::Tide => "wrap what the handlers wait for in `tokio::time::timeout(limit, …)`",
    }
}

fn has_timeout(served: &Served<'_>) -> bool {
    let is_timeout = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("timeout") || name.contains("deadline")
    };
    let named = |node: Node<'_>| {
        node.path().is_some_and(|path| path.iter().any(|name| is_timeout(name))) || node.method().is_some_and(is_timeout)
    };
    let of_layer = |argument: Node<'_>| {
        let bound = layers::root(argument);
        let value = (bound.id != argument.id).then_some(bound).into_iter().chain(argument.peel().binding());
        std::iter::once(argument).chain(value).flat_map(Node::descendants).any(named)
    };
    let applied = APPLY.iter().flat_map(|name| served.named(name).filter(|call| takes_layers(*call)));
    let applied = applied.into_iter().any(|call| call.arguments().any(of_layer));
    let built = served.named("timeout").any(|node| match node.kind() {
        // `ServiceBuilder::new().timeout(limit)`, `Server::builder().timeout(limit)`.
        crate::workspace::rust::ExprKind::Method { .. } => {
            let maker = |node: Node<'_>| {
                node.external().is_some_and(|path| path.ends_with("ServiceBuilder::new") || path.ends_with("Server::builder"))
            };
            node.receiver().is_some_and(|receiver| {
                receiver.descendants().any(maker) || receiver.binding().is_some_and(|value| value.descendants().any(maker))
            })
        }
        // `tokio::time::timeout(limit, next.run(request))`
        _ => wraps_the_rest(node),
    });
    let beside = served.named("sleep").any(|node| {
        let in_service = node.function().is_some_and(|function| &*node.workspace.function(function).name == "call");
        let is_awaited = node.parent().is_some_and(|parent| matches!(parent.kind(), crate::workspace::rust::ExprKind::Await(_)));
        in_service && !is_awaited && node.external().is_some_and(|path| path == "tokio::time::sleep") && wraps_the_rest(node)
    });
    let types = [
        "tower_http::timeout::TimeoutLayer",
        "tower::timeout::TimeoutLayer",
        "tower::timeout::Timeout",
        "salvo::timeout::Timeout",
        "tower_http::timeout::Timeout",
    ];
    applied
        || built
        || beside
        || types.iter().flat_map(|ty| served.workspace.calls_below(ty)).any(|call| {
            matches!(call.kind(), crate::workspace::rust::ExprKind::Call { .. })
                && call.function().is_some_and(|function| served.reach.contains(function))
        })
}

/// Whether a method may put something around requests: `push`, `with` and `and_then` are also those of lists, of logs and of options.
fn takes_layers(call: Node<'_>) -> bool {
    const FRAMEWORKS: &[&str] =
        &["actix_web", "axum", "dropshot", "ntex", "poem", "rocket", "salvo", "tide", "tonic", "tower", "warp"];
    if !matches!(call.method(), Some("push" | "with" | "and_then" | "service")) {
        return true;
    }
    let Some(root) = call.receiver().map(layers::root) else { return true };
    let outside = root.external().or(match root.ty() {
        Definition::External(path) => Some(path),
        _ => None,
    });
    match outside {
        Some(path) => path.split("::").next().is_some_and(|owner| FRAMEWORKS.contains(&owner)),
        // A function of the workspace may give back a router.
        None => !matches!(call.method(), Some("push" | "and_then")) && matches!(root.definition(), Definition::Function(_)),
    }
}

/// Whether a timer is started where a request is passed on.
fn wraps_the_rest(timeout: Node<'_>) -> bool {
    let Some(function) = timeout.function() else { return false };
    let passes_on = |node: Node<'_>| {
        matches!(node.method(), Some("run" | "call" | "oneshot"))
            && node.receiver().is_some_and(|receiver| {
                let text = receiver.peel();
                let name = match text.kind() {
                    crate::workspace::rust::ExprKind::Field { name, .. } => Some(&**name),
                    _ => text.variable(),
                };
                name.is_some_and(|name| {
                    ["next", "inner", "service", "srv", "svc", "app", "router", "handler"].iter().any(|word| name.contains(word))
                })
            })
    };
    timeout.workspace.body(function).is_some_and(|body| body.descendants().any(passes_on))
}

/// WebSockets and server-sent events stay open on purpose.
pub fn serves_streams_only(served: &Served<'_>) -> bool {
    let business: Vec<_> = served
        .routes
        .iter()
        .filter(|route| route.paths.iter().any(|path| matches!(purpose(path), Purpose::Business | Purpose::GraphQl)))
        .collect();
    !business.is_empty() && business.iter().all(|route| served.opens_streams(route))
}

/// Istio's `timeout`, the Gateway API's `timeouts`, an ingress controller's annotation.
fn has_mesh_timeout(workspace: &Workspace) -> bool {
    workspace.kubernetes.iter().any(|object| {
        let annotated = object.annotations.iter().any(|annotation| annotation.name.contains("timeout"));
        let kind = object.kind.value.as_str();
        annotated && kind == "Ingress"
            || matches!(kind, "VirtualService" | "HTTPRoute" | "GRPCRoute") && format!("{:?}", object.node).contains("timeout")
    })
}

use super::layers::{chain, is_stack, router_layers};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::query::Node;

crate::declare_rule! {
    /// Load shedding stands where nothing is ever full.
    ///
    /// ## Why is this bad?
    /// `LoadShed` refuses a request when the service inside it is not ready. A limit is what is not ready when it is reached, so it
    /// must stand inside. With the limit outside, or in another `layer` call of an axum router (whose routes are always ready),
    /// nothing is refused: requests queue without end, which is what shedding was there to prevent.
    ///
    /// ## Example
    /// ```rust
    /// ServiceBuilder::new().concurrency_limit(100).load_shed()
    /// ```
    /// ```rust
    /// router.layer(ConcurrencyLimitLayer::new(100)).layer(LoadShedLayer::new())
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// ServiceBuilder::new().load_shed().concurrency_limit(100)
    /// ```
    /// In a `ServiceBuilder` what is named first is outermost.
    ///
    /// ## Not reported when
    /// - a limit, a buffer or any other layer that may be full follows the shedding in the same `ServiceBuilder`;
    /// - the stack is not put around an axum router, and no limit stands before the shedding: the service inside may have limits;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// tower 0.5 `src/load_shed/mod.rs`: `poll_ready` asks the inner service and always answers ready; `src/builder/mod.rs`: "layers that are
    /// added first will be called with the request first". axum 0.6 to 0.8 `src/routing/route.rs`: `poll_ready` is `Poll::Ready(Ok(()))`.
    "shed-inside-limit", "MSVC624", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Layers and methods of a stack that are ready whenever what is inside them is.
const ALWAYS_READY: &[&str] = &[
    "timeout",
    "TimeoutLayer",
    "TraceLayer",
    "HandleErrorLayer",
    "CorsLayer",
    "CompressionLayer",
    "Extension",
    "map_err",
    "map_request",
    "map_response",
    "SetRequestIdLayer",
    "PropagateRequestIdLayer",
    "CatchPanicLayer",
    "into_inner",
    "service",
    "service_fn",
    "check_clone",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let made = ["tower::load_shed::LoadShedLayer::new", "tower::load_shed::LoadShedLayer::default"];
    for call in made.iter().flat_map(|path| workspace.calls_to(path)) {
        // In a stack of its own, or around the router at once.
        let taken = call.parent().filter(|taker| taker.method() == Some("layer"));
        match taken.filter(|taker| taker.receiver().is_some_and(is_stack)) {
            Some(taker) => check_stack(taker, call, out),
            None => {
                for applied in router_layers(call) {
                    // A stack that came by a name: where in it this is put is not to be seen here.
                    if applied.arguments().any(|argument| argument.id == call.id) {
                        report(call, None, None, out);
                    }
                }
            }
        }
    }
    for call in workspace.methods("load_shed").filter(|call| call.receiver().is_some_and(is_stack)) {
        check_stack(call, call, out);
    }
}

/// `place` is the method of the stack that adds the shedding.
fn check_stack(place: Node<'_>, shed: Node<'_>, out: &mut Vec<Diagnostic>) {
    let Some(outer) = place.receiver() else { return };
    let inner: Vec<_> = place.fate(&|_| true).methods;
    let in_stack =
        |method: &&Node<'_>| !matches!(method.method(), Some("layer" | "route_layer")) || method.receiver().is_some_and(is_stack);
    let may_be_full = |method: &Node<'_>| !element_names(*method).iter().any(|name| ALWAYS_READY.contains(&name.as_str()));
    if inner.iter().filter(in_stack).any(may_be_full) {
        return;
    }
    let limit = chain(outer).into_iter().find(|method| is_limit(*method));
    // Handed on as it is: only where a router takes it are its insides known.
    if limit.is_none() && router_layers(place).is_empty() {
        return;
    }
    report(shed, limit, Some(place), out);
}

fn report(shed: Node<'_>, limit: Option<Node<'_>>, place: Option<Node<'_>>, out: &mut Vec<Diagnostic>) {
    let workspace = shed.workspace;
    let Some(service) = workspace.run_by(shed) else { return };
    let mut diagnostic = Diagnostic::new("this load shedding never refuses a request", shed.name_at(), "what is inside is always ready")
        .help("put the shedding before the limit in one `ServiceBuilder`: `.load_shed().concurrency_limit(count)`, with `HandleErrorLayer` before both in axum")
        .evidence("a limit, a buffer or an unknown layer after the shedding in the same stack")
        .service(&service.name);
    if let Some(limit) = limit {
        diagnostic = diagnostic.related(limit.name_at(), "this limit stands outside of it");
        let same = place.filter(|place| place.ancestors().any(|_| true) && place.descendants().any(|part| part.id == limit.id));
        if let Some((place, before)) = same.and_then(|place| Some((place, place.receiver()?))) {
            let mut cut = place.at();
            cut.span.start = before.at().span.end;
            let text = if place.method() == Some("load_shed") {
                "load_shed()."
            } else {
                "layer(tower::load_shed::LoadShedLayer::new())."
            };
            let fix = Fix::unsafe_("shed before the limit").before(limit.name_at(), text).replace(cut, "");
            diagnostic = diagnostic.fix(fix);
        }
    }
    out.push(diagnostic);
}

fn is_limit(method: Node<'_>) -> bool {
    element_names(method).iter().any(|name| {
        matches!(
            name.as_str(),
            "concurrency_limit" | "rate_limit" | "ConcurrencyLimitLayer" | "GlobalConcurrencyLimitLayer" | "RateLimitLayer"
        )
    })
}

/// What a method of the stack adds: its own name, or the type of the layer it takes.
fn element_names(method: Node<'_>) -> Vec<String> {
    match method.method() {
        Some("layer" | "option_layer") => {
            let root = method.arguments().next().map(super::layers::root);
            let path = root.and_then(Node::path).unwrap_or_default();
            path.iter().map(|name| name.to_string()).collect()
        }
        Some(name) => vec![name.to_owned()],
        None => Vec::new(),
    }
}

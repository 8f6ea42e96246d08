use super::layers::{LIMITS, has_called, later, router_layers};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::version;
use crate::workspace::Workspace;
use crate::workspace::query::Node;

crate::declare_rule! {
    /// A limit on requests is made anew for each connection.
    ///
    /// ## Why is this bad?
    /// `axum::serve` finishes a router without state for each connection that comes in, and applies its layers then. tower's limits
    /// keep their count in the layered service: each connection gets a count of its own, and a hundred connections get a
    /// hundred times the limit. A client that opens a connection for each request is not limited at all.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list)).layer(ConcurrencyLimitLayer::new(100));
    /// axum::serve(listener, app).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list)).layer(GlobalConcurrencyLimitLayer::new(100));
    /// axum::serve(listener, app).await?;
    /// ```
    /// The count is then in the layer itself, and one for all routes. For a rate limit, give the router its state before it is
    /// served: `.with_state(())` applies the layers once.
    ///
    /// ## Not reported when
    /// - the router gets a state, before or after the layer, or is served through `into_make_service`: layers are applied once;
    /// - it is not certain that `axum::serve` gets the router (axum 0.7 or later; before, `into_make_service` had to be called);
    /// - the layer is `GlobalConcurrencyLimitLayer`, or another crate's;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// axum 0.7 and 0.8 `src/routing/mod.rs`: `impl Service<IncomingStream<'_>> for Router<()>` calls `self.clone().with_state(())`, and
    /// `src/boxed.rs` applies the layer of a handler then; tower 0.5 `src/limit/concurrency/layer.rs`: `layer` makes a new semaphore.
    "limit-per-connection", "MSVC622", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for maker in LIMITS {
        workspace.calls_to(maker).for_each(|call| check_layer(call, out));
    }
    for method in ["concurrency_limit", "rate_limit"] {
        let in_stack = |call: &Node<'_>| call.receiver().is_some_and(super::layers::is_stack);
        workspace.methods(method).filter(in_stack).for_each(|call| check_layer(call, out));
    }
}

fn check_layer(layer: Node<'_>, out: &mut Vec<Diagnostic>) {
    let workspace = layer.workspace;
    let Some(service) = workspace.run_by(layer) else { return };
    if version(layer, "axum").is_none_or(|version| version.major == 0 && version.minor < 7) {
        return;
    }
    for applied in router_layers(layer) {
        let Some(router) = applied.receiver().filter(|router| !has_called(*router, "with_state")) else { continue };
        let (methods, given) = later(applied);
        let finished = |method: &Node<'_>| {
            method
                .method()
                .is_some_and(|name| name == "with_state" || name.starts_with("into_make_service") || name == "into_service")
        };
        let served =
            given.iter().find(|taker| taker.external().is_some_and(|path| path == "axum::serve" || path == "axum::serve::serve"));
        let Some(served) = served.filter(|_| !methods.iter().any(finished)) else { continue };
        // State that a router got before it was merged into this one.
        if has_called(router, "merge") || has_called(router, "nest") {
            let all = super::layers::chain(router).into_iter().flat_map(Node::arguments);
            if all.into_iter().any(|part| has_called(part, "with_state")) {
                continue;
            }
        }
        let mut diagnostic = Diagnostic::new("this limit is made anew for each connection", layer.name_at(), "counts one connection only")
            .related(served.name_at(), "applies the router's layers for each connection")
            .help("use `tower::limit::GlobalConcurrencyLimitLayer`, whose clones share one count; for a rate limit, finish the router with `.with_state(())`")
            .evidence("`with_state` on the router or on those it is made of, before or after the layer")
            .evidence("`into_make_service`")
            .service(&service.name);
        let global = layer.external().is_some_and(|path| path.ends_with("ConcurrencyLimitLayer::new"));
        if global && layer.packages().next().is_some_and(|package| package.dependency("tower").is_some()) {
            let fix = Fix::unsafe_("count all connections together");
            diagnostic = diagnostic.fix(fix.replace(layer.name_at(), "tower::limit::GlobalConcurrencyLimitLayer::new"));
        }
        out.push(diagnostic);
        return;
    }
}

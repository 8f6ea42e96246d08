use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::workspace::names::FunctionRef;
use crate::workspace::rust::{Attribute, ExprKind, FunctionId};
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// A cache never lets go of anything.
    ///
    /// ## Why is this bad?
    /// With a key from a request in it, a cache without a capacity or a lifetime grows with every caller until the replica is killed
    /// for its memory, and what it holds is never fresh again.
    ///
    /// ## Example
    /// ```rust
    /// let prices: Cache<String, Price> = Cache::builder().build();
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let prices: Cache<String, Price> = Cache::builder().max_capacity(10_000).time_to_live(lifetime).build();
    /// ```
    ///
    /// ## Not reported when
    /// - the builder of moka sets `max_capacity`, `time_to_live`, `time_to_idle` or `expire_after`, also in a helper;
    /// - `#[cached]` names a `size`, a `time` or a store of its own, or the function takes no arguments;
    /// - it is an `LruCache::unbounded()`, which says that something else counts;
    /// - it is a plain map: what is a cache of it, and what a registry, is not to be seen;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// moka 0.12 `src/future/builder.rs`: `max_capacity: None`. [cached](https://docs.rs/cached/latest/cached/proc_macro/attr.cached.html): `ty`
    /// "defaults to `UnboundCache`".
    "unbounded-cache", "MSVC619", Practice::ResiliencyPatterns, Level::Warn, Tier::Auditor, Check::Workspace(check)
}

const BUILDERS: &[&str] = &[
    "moka::future::Cache::builder",
    "moka::sync::Cache::builder",
    "moka::future::CacheBuilder::default",
    "moka::sync::CacheBuilder::default",
    "moka::sync::SegmentedCache::builder",
];
const LIMITS: &[&str] = &["max_capacity", "time_to_live", "time_to_idle", "expire_after"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for call in BUILDERS.iter().flat_map(|path| workspace.calls_to(path)) {
        let Some(service) = workspace.run_by(call) else { continue };
        let limited =
            call.fate(&|_| true).methods.iter().any(|method| method.method().is_some_and(|name| LIMITS.contains(&name)));
        if !limited {
            out.push(
                finding(call.name_at(), "set `.max_capacity(entries)`, and `.time_to_live(lifetime)`").service(&service.name),
            );
        }
    }
    // The store that `#[cached]` has by default, made by hand.
    for call in workspace.calls_to("cached::UnboundCache::new") {
        if let Some(service) = workspace.run_by(call) {
            out.push(finding(call.name_at(), "use a `SizedCache` or a `TimedCache`").service(&service.name));
        }
    }
    for (file, facts) in workspace.rust.iter().enumerate() {
        for (index, function) in facts.functions.iter().enumerate() {
            let Some(cached) = function.attributes.iter().find(|attribute| is_unbounded(attribute, file, workspace)) else {
                continue;
            };
            let body = workspace.body(FunctionRef::new(file, FunctionId::new(index)));
            let Some(service) = body.and_then(|body| workspace.run_by(body)) else { continue };
            // One entry is no cache that grows.
            if !function.parameters.is_empty() {
                out.push(finding(facts.location(cached.span), "name a `size`, and a `time` in seconds").service(&service.name));
            }
        }
    }
}

fn finding(at: Location, help: &str) -> Diagnostic {
    Diagnostic::new("this cache has neither a capacity nor a lifetime", at, "grows with every key")
        .help(help)
        .evidence("a capacity, a lifetime or an expiry on its builder, through helpers and fields of the workspace")
}

/// `#[cached]` of the crate of that name, without a bound.
fn is_unbounded(attribute: &Attribute, file: usize, workspace: &Workspace) -> bool {
    if attribute.path.last().is_none_or(|name| &**name != "cached") {
        return false;
    }
    let modules = workspace.names.modules_of(file, crate::workspace::rust::ModuleId::root());
    let krate = modules.first().map(|&module| workspace.names.modules[module].krate);
    let known = krate.is_some_and(|krate| workspace.packages[workspace.names.crates[krate].package].depends_on("cached"));
    let bounds = |id: &crate::workspace::rust::ExprId| {
        let node = workspace.node((file, *id));
        match node.kind() {
            ExprKind::Assign { left, .. } => node
                .with(*left)
                .variable()
                .is_some_and(|name| !matches!(name, "name" | "key" | "convert" | "result" | "option" | "sync_writes")),
            _ => false,
        }
    };
    known && !attribute.arguments.iter().any(bounds)
}

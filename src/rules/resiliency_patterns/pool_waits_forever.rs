use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::pools::{CONFIGS, FOR_EVER};
use crate::rules::time_limit::is_bounded;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

crate::declare_rule! {
    /// A connection pool lets its callers wait without a limit.
    ///
    /// ## Why is this bad?
    /// When all connections are taken, each further request waits for one. Without a limit they wait until the service is out of
    /// memory, long after their callers have given up, and those that do get a connection work for nobody.
    ///
    /// ## Example
    /// ```rust
    /// let pool = Pool::builder(manager).max_size(16).build()?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let pool = Pool::builder(manager).max_size(16).wait_timeout(Some(limit)).runtime(Runtime::Tokio1).build()?;
    /// ```
    ///
    /// ## Not reported when
    /// - the builder sets `wait_timeout`, `timeouts` or a `config` that is more than a size, in any function that it passes through;
    /// - the configuration that makes the pool sets `pool`, or comes from a file or the environment;
    /// - connections are taken with `timeout_get`, or each `get` stands in a `timeout(…)`;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// deadpool 0.9, 0.12 and 0.13 `src/managed/config.rs`: `Timeouts { wait: None, create: None, recycle: None }`.
    "pool-waits-forever", "MSVC605", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for maker in FOR_EVER {
        for call in workspace.calls_to(maker) {
            let fate = call.fate(&|name| name != "get");
            let none = fate.methods.iter().copied().find(|method| is_none(*method));
            if none.is_none() && fate.methods.iter().any(|method| sets_wait(*method)) {
                continue;
            }
            // A wait needs a runtime, else the pool cannot be built.
            let limit = "Some(std::time::Duration::from_secs(2))";
            let fix = Fix::unsafe_("give up waiting after 2 s");
            let fix = match none.and_then(|none| none.arguments().next()) {
                Some(none) => fix.replace(none.at(), limit),
                None => fix.after(call.at(), format!(".wait_timeout({limit})")),
            };
            let has_runtime = fate.methods.iter().any(|method| method.method() == Some("runtime"));
            report(call, &fate.methods, Some(fix).filter(|_| has_runtime), out);
        }
    }
    for call in workspace.methods("create_pool") {
        if call.receiver().is_some_and(is_plain_config) {
            report(call, &call.fate(&|name| name != "get").methods, None, out);
        }
    }
    // `Config::new(file).builder(runtime)?.max_size(4).build()`
    for call in workspace.methods("builder").filter(|call| call.receiver().is_some_and(is_plain_config)) {
        let methods = call.fate(&|name| name != "get").methods;
        if !methods.iter().any(|method| sets_wait(*method)) {
            report(call, &methods, None, out);
        }
    }
}

fn report(call: Node<'_>, methods: &[Node<'_>], fix: Option<Fix>, out: &mut Vec<Diagnostic>) {
    let workspace = call.workspace;
    let Some(service) = workspace.run_by(call) else { return };
    let mut gets = methods.iter().filter(|method| method.method() == Some("get")).peekable();
    let seen = gets.peek().is_some();
    if methods.iter().any(|method| method.method() == Some("timeout_get")) || (seen && gets.all(|get| is_bounded(*get))) {
        return;
    }
    let mut diagnostic =
        Diagnostic::new("this pool lets its callers wait without a limit", call.name_at(), "has no wait timeout")
            .help(
                "set `.wait_timeout(Some(limit))` and `.runtime(…)` on the builder, or `pool.timeouts.wait` of the configuration",
            )
            .evidence("`wait_timeout`, `timeouts` or `config` on the builder, through helpers of the workspace")
            .evidence("`timeout_get`, or a `timeout(…)` around each `get`")
            .confidence(if seen { Confidence::High } else { Confidence::Medium })
            .service(&service.name);
    if let Some(fix) = fix {
        diagnostic = diagnostic.fix(fix);
    }
    out.push(diagnostic);
}

/// A method of the builder that may set the wait: not one that certainly leaves it out.
fn sets_wait(method: Node<'_>) -> bool {
    let Some(argument) = method.arguments().next() else { return false };
    match method.method() {
        Some("wait_timeout" | "timeouts") => true,
        Some("config") => {
            let config = argument.binding().unwrap_or(argument).peel();
            let size_only =
                config.external().is_some_and(|path| path.ends_with("PoolConfig::new") || path.ends_with("PoolConfig::default"));
            !size_only
        }
        _ => false,
    }
}

/// `wait_timeout(None)`
fn is_none(method: Node<'_>) -> bool {
    method.method() == Some("wait_timeout") && method.arguments().any(|argument| argument.variable() == Some("None"))
}

/// Made here, and nothing in this function speaks of its pool.
fn is_plain_config(config: Node<'_>) -> bool {
    let made = config.binding().unwrap_or(config).peel();
    let is_new = matches!(made.kind(), ExprKind::Call { .. })
        && made.external().is_some_and(|path| {
            let (ty, name) = path.rsplit_once("::").unwrap_or_default();
            CONFIGS.contains(&ty) && matches!(name, "new" | "default" | "from_url" | "from_urls")
        });
    let body = config.function().and_then(|function| config.workspace.body(function));
    let speaks = |node: Node<'_>| match node.kind() {
        ExprKind::Field { name, .. } => &**name == "pool",
        _ => node.path().is_some_and(|path| path.iter().any(|name| matches!(&**name, "PoolConfig" | "Timeouts"))),
    };
    is_new && body.is_some_and(|body| !body.descendants().any(speaks))
}

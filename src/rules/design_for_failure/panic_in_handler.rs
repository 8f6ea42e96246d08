use std::collections::BTreeSet;

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::resiliency_patterns::is_rpc;
use crate::workspace::http::Served;
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Type};
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A handler panics on what a request brings, or when something it waits for fails.
    ///
    /// ## Why is this bad?
    /// The caller gets a closed connection instead of a status that says whose fault it is, nothing is counted as an error, and locks
    /// that the request held may stay poisoned. What a caller may send, and what a database may answer, are no bugs of this program.
    ///
    /// ## Example
    /// ```rust
    /// async fn show(headers: HeaderMap, State(pool): State<PgPool>) -> Json<Order> {
    ///     let tenant = headers.get("x-tenant").unwrap().to_str().unwrap();
    ///     Json(find(&pool, tenant).await.unwrap())
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn show(headers: HeaderMap, State(pool): State<PgPool>) -> Result<Json<Order>, Error> {
    ///     let tenant = headers.get("x-tenant").and_then(|value| value.to_str().ok()).ok_or(Error::NoTenant)?;
    ///     Ok(Json(find(&pool, tenant).await?))
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - the value neither comes from the request nor from an `.await`: `lock().unwrap()`, `Response::builder()…unwrap()`,
    ///   `Regex::new("…").unwrap()`;
    /// - it is a part of the path that the route demands (`match_info().get("id")`), or an extension;
    /// - what is awaited is a task of this process (`spawn`, `spawn_blocking`, a `JoinHandle`), a semaphore or a lock;
    /// - the code stands outside the handler itself.
    ///
    /// ## Source
    /// [The Rust Book: to panic or not to panic](https://doc.rust-lang.org/book/ch09-03-to-panic-or-not-to-panic.html); clippy's
    /// `unwrap_used` and `expect_used`.
    "panic-in-handler", "MSVC103", Practice::DesignForFailure, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Types of parameters that a caller fills in.
const REQUEST: &[&str] =
    &["HeaderMap", "HttpRequest", "Request", "Bytes", "Path", "Query", "Multipart", "RawQuery", "Parts", "Uri"];
/// What a value is awaited of that fails only when this program is at fault.
const OWN: &[&str] = &[
    "spawn",
    "spawn_blocking",
    "spawn_local",
    "acquire",
    "acquire_owned",
    "acquire_many",
    "lock",
    "read",
    "write",
    "join",
    "block",
    "get_or_init",
    "recv",
    // The end of a stream is no failure.
    "next",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    for handler in handlers(&served) {
        let Some(body) = workspace.body(handler).filter(|body| body.ships()) else { continue };
        let mut found = body.descendants().filter_map(|node| Some((node, cause(fails(node)?, handler)?)));
        // One is enough to see what the handler does.
        let Some((node, cause)) = found.next() else { continue };
        let others = found.count();
        let mut diagnostic =
            Diagnostic::new(format!("this handler panics {cause}"), node.name_at(), "the caller gets a closed connection")
                .help("return an error that becomes a status: 400 for what the caller sent, 500 or 503 for what failed behind it")
                .related(workspace.function_location(handler), "requests are routed here")
                .evidence("locks, tasks of this process, values that the request does not bring");
        if others > 0 {
            diagnostic = diagnostic.evidence(format!("{others} more in the same handler"));
        }
        out.push(diagnostic);
    }
}

fn handlers(served: &Served<'_>) -> BTreeSet<FunctionRef> {
    let routed = served.routes.iter().flat_map(|route| &route.handlers).copied();
    let methods = served.reach.functions().iter().copied().filter(|&function| is_rpc(served.workspace, function));
    routed.filter(|handler| served.reach.contains(*handler)).chain(methods).collect()
}

/// The value that this panics for the want of: `value.unwrap()`, `match value { … Err(_) => panic!() }`.
fn fails(node: Node<'_>) -> Option<Node<'_>> {
    match node.kind() {
        ExprKind::Method { name, .. } if matches!(&**name, "unwrap" | "expect") => node.receiver(),
        ExprKind::Macro { path, .. } if path.last().is_some_and(|name| &**name == "panic") => {
            let arm = node.parent().filter(|arm| matches!(arm.kind(), ExprKind::Arm { .. }))?;
            match arm.parent()?.kind() {
                ExprKind::Match { on, .. } => Some(node.with(*on)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Why it may panic, if that is not this program's own fault.
fn cause(value: Node<'_>, handler: FunctionRef) -> Option<&'static str> {
    if let ExprKind::Await(future) = value.kind() {
        let is_call = matches!(value.with(*future).kind(), ExprKind::Call { .. } | ExprKind::Method { .. });
        let is_own = value.with(*future).receivers().any(|node| node.last_name().is_some_and(|name| OWN.contains(&name)));
        return (is_call && !is_own).then_some("when what it waits for fails");
    }
    let mut node = value;
    let mut looks = false;
    loop {
        node = match node.kind() {
            // What the route itself demands is there.
            ExprKind::Method { name, .. } if matches!(&**name, "match_info" | "extensions") => return None,
            ExprKind::Method { receiver, name, .. } => {
                looks |= matches!(
                    &**name,
                    "parse"
                        | "get"
                        | "to_str"
                        | "next"
                        | "split_once"
                        | "headers"
                        | "first"
                        | "last"
                        | "query"
                        | "as_str"
                        | "as_u64"
                        | "as_i64"
                        | "as_f64"
                        | "as_bool"
                        | "as_array"
                        | "as_object"
                ) || &**name == "into_inner" && is_rpc(node.workspace, handler);
                node.with(*receiver)
            }
            // `query["limit"].parse().unwrap()`
            ExprKind::Index { base, .. } => node.with(*base),
            ExprKind::Reference(inner) | ExprKind::Try(inner) => node.with(*inner),
            ExprKind::Field { base, .. } => node.with(*base),
            // `String::from_utf8(body.to_vec()).unwrap()`, `serde_json::from_slice(&body).unwrap()`
            ExprKind::Call { .. } if matches!(node.last_name(), Some("from_utf8" | "from_slice" | "from_str")) => {
                looks = true;
                node.arguments().next()?
            }
            ExprKind::Path(path) if path.len() == 1 => {
                let name = &path[0];
                let from_request = node.binding().is_none() && is_request_parameter(node, handler, name);
                return (looks && from_request).then_some("on what a request brings");
            }
            _ => return None,
        };
    }
}

fn is_request_parameter(node: Node<'_>, handler: FunctionRef, name: &str) -> bool {
    // JSON of no type of its own promises nothing.
    let is_untyped =
        |ty: &Type| matches!(ty.name(), Some("Json")) && ty.arguments.first().is_some_and(|inner| inner.name() == Some("Value"));
    let is_request = |ty: &Type| ty.name().is_some_and(|name| REQUEST.contains(&name)) || is_untyped(ty);
    let item = node.workspace.function(handler);
    node.function() == Some(handler)
        && item.parameters.iter().any(|parameter| parameter.name.as_deref() == Some(name) && is_request(&parameter.ty))
}

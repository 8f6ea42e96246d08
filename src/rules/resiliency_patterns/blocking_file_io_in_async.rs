use super::requests::{is_probe, per_request_functions};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::libraries::OWN_THREAD;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// A request reads or writes a file on a thread of the async runtime.
    ///
    /// ## Why is this bad?
    /// `std::fs` holds its thread until the disk has answered. On a local disk that is quick most of the time; on a network volume, under
    /// memory pressure or with a large file it is not, and every request that waits on that worker thread waits, too.
    ///
    /// ## Example
    /// ```rust
    /// async fn invoice(Path(id): Path<Uuid>) -> Result<Vec<u8>, Error> {
    ///     Ok(std::fs::read(format!("/data/invoices/{id}.pdf"))?)
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn invoice(Path(id): Path<Uuid>) -> Result<Vec<u8>, Error> {
    ///     Ok(tokio::fs::read(format!("/data/invoices/{id}.pdf")).await?)
    /// }
    /// ```
    /// For many small steps, one `tokio::task::spawn_blocking` around all of them is cheaper than each of `tokio::fs`.
    ///
    /// ## Not reported when
    /// - no handler of a route, and no RPC method, certainly comes to the call, directly or through two others: what is read at start-up, or by a
    ///   task, delays no request;
    /// - it stands in a closure handed to `spawn_blocking`, `block_in_place`, `std::thread::spawn` or rayon, or in any other plain closure;
    /// - what is read is kept: a static, a cell, a function named for a cache;
    /// - the handler answers health checks or scrapes;
    /// - the path is of the kernel and no disk's: `/proc`, `/sys`, `/dev`;
    /// - it only asks about a file: `metadata`, `exists`.
    ///
    /// ## Source
    /// [Tokio: `tokio::fs`](https://docs.rs/tokio/latest/tokio/fs/index.html) ("use `spawn_blocking` to run [blocking file operations] on a
    /// threadpool").
    "blocking-file-io-in-async", "MSVC626", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// Functions of the standard library's module `fs`, of its `File` and its `OpenOptions`, that read or write a disk.
const CALLS: &[&str] = &[
    "read",
    "read_to_string",
    "write",
    "copy",
    "rename",
    "read_dir",
    "create_dir",
    "create_dir_all",
    "remove_file",
    "remove_dir_all",
    "open",
    "create",
    "create_new",
    "new",
];
/// What keeps a value for all requests.
const KEEPERS: &[&str] = &["get_or_init", "get_or_try_init", "get_or_insert_with", "call_once"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let mut calls: Vec<Node<'_>> = workspace.calls_below("std::fs");
    let rank = |call: &Node<'_>| CALLS.iter().position(|name| call.last_name() == Some(name));
    calls.retain(|call| rank(call).is_some() && workspace.runs(service, *call));
    calls.sort_by_cached_key(|call| (rank(call), call.order()));
    if calls.is_empty() {
        return;
    }
    let Some(served) = workspace.served(service) else { return };
    let follow = |at: Node<'_>| !at.ancestors().any(runs_elsewhere);
    let functions = per_request_functions(workspace, service, &follow);
    let mut seen = Vec::new();
    for call in calls {
        let Some(function) = call.function() else { continue };
        let Some(&(handler, distance)) = functions.get(&function) else { continue };
        // One finding for each function: its steps move together.
        if call.ancestors().any(runs_elsewhere) || is_of_kernel(call) || seen.contains(&function) {
            continue;
        }
        if !workspace.function(handler).is_async
            || is_probe(&served, handler)
            || workspace.function(function).name.contains("cache")
        {
            continue;
        }
        seen.push(function);
        let path = call.external().unwrap_or_default();
        let mut diagnostic = Diagnostic::new(
            format!("`{path}` holds a thread of the async runtime while a request waits"),
            call.name_at(),
            "waits for the disk here",
        )
        .help("use `tokio::fs`, or one `tokio::task::spawn_blocking` around all steps")
        .evidence(
            "`spawn_blocking`, `block_in_place`, a thread or another closure around it, and around the calls that lead to it",
        )
        .evidence("a static or a cell that keeps what was read")
        .confidence(Confidence::Medium);
        if distance > 0 {
            diagnostic = diagnostic.related(workspace.function_location(handler), "this handler comes to it");
        }
        out.push(diagnostic);
    }
}

/// A closure, which may run anywhere; what runs its arguments on a thread that may block, or once.
fn runs_elsewhere(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Closure { is_async, .. } => !is_async,
        ExprKind::Call { .. } | ExprKind::Method { .. } => {
            node.last_name().is_some_and(|name| OWN_THREAD.contains(&name) || KEEPERS.contains(&name))
        }
        _ => false,
    }
}

fn is_of_kernel(call: Node<'_>) -> bool {
    let texts = call.arguments().flat_map(Node::descendants).filter_map(Node::text);
    texts.into_iter().any(|text| ["/proc", "/sys", "/dev"].iter().any(|start| text.starts_with(start)))
}

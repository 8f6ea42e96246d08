use super::requests::per_request_functions;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// Requests fill a queue that has no end.
    ///
    /// ## Why is this bad?
    /// Whoever takes from the queue is slower than all callers together, sooner or later. A queue without a bound then grows until
    /// the replica is killed for its memory, and everything in it is lost; a bounded one tells the callers to slow down.
    ///
    /// ## Example
    /// ```rust
    /// let (orders, received) = mpsc::unbounded_channel();
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let (orders, received) = mpsc::channel(1024);
    /// // in the handler: a full queue is a 503
    /// orders.try_send(order)?;
    /// ```
    ///
    /// ## Not reported when
    /// - no handler of a route, and no RPC method, certainly sends to it, directly or through at most two calls;
    /// - it is made for one request;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// tokio 1 `src/sync/mpsc/unbounded.rs`: "it is possible for an unbounded channel to cause the process to run out of memory";
    /// [std](https://doc.rust-lang.org/std/sync/mpsc/index.html): `channel` has "an infinite buffer".
    "unbounded-queue", "MSVC609", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

const MAKERS: &[&str] = &[
    "tokio::sync::mpsc::unbounded_channel",
    "std::sync::mpsc::channel",
    "async_channel::unbounded",
    "flume::unbounded",
    "crossbeam_channel::unbounded",
    "crossbeam::channel::unbounded",
    "kanal::unbounded_async",
    "futures::channel::mpsc::unbounded",
    "futures_channel::mpsc::unbounded",
];
const SENDS: &[&str] = &["send", "unbounded_send", "try_send", "send_async", "start_send"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let mut per_request = None;
    for maker in MAKERS {
        for call in workspace.calls_to(maker).filter(|call| workspace.runs(service, *call)) {
            let found = per_request.get_or_insert_with(|| per_request_functions(workspace, service, &|_| true));
            if call.function().is_some_and(|function| found.contains_key(&function)) {
                continue;
            }
            let sends = call.fate(&|_| false).methods.into_iter().find(|method| {
                let is_send = method.method().is_some_and(|name| SENDS.contains(&name));
                is_send && method.function().is_some_and(|function| found.contains_key(&function))
            });
            let Some(sent) = sends else { continue };
            let diagnostic = Diagnostic::new(
                "requests fill this queue without a bound",
                call.name_at(),
                "grows as long as callers are faster",
            )
            .related(sent.name_at(), "each request adds to it")
            .help("make it with a capacity, and refuse the request when it is full: `channel(1024)`, `try_send`")
            .evidence("a handler, or a function it calls, that sends to it; a queue made for one request");
            out.push(diagnostic);
        }
    }
}

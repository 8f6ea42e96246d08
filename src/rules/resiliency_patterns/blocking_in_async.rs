use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::{BLOCKING_CALLS, BLOCKING_CLIENTS, OWN_THREAD, RUNTIMES};
use crate::rules::paths;
use crate::rules::words::has_word;
use crate::workspace::graph::Target;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// A call that blocks its thread stands in async code.
    ///
    /// ## Why is this bad?
    /// An async runtime has about one worker thread for each core. A call that blocks holds one of them, and every request
    /// that waits on that worker waits too: a handful of slow calls stops the whole service, its health endpoints
    /// included.
    ///
    /// ## Example
    /// ```rust
    /// async fn poll(url: &str) -> reqwest::Result<String> {
    ///     std::thread::sleep(Duration::from_secs(1));
    ///     reqwest::blocking::get(url)?.text()
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn poll(url: &str) -> reqwest::Result<String> {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     reqwest::get(url).await?.text().await
    /// }
    /// ```
    /// Where there is no async version, move the call to a thread that may block: `tokio::task::spawn_blocking(|| …).await`.
    ///
    /// ## Not reported when
    /// - the call stands in a closure handed to `spawn_blocking`, `block_in_place`, `std::thread::spawn` or rayon, or in any
    ///   other plain closure;
    /// - it stands in a plain function, unless async code certainly calls that function;
    /// - it opens or takes a connection, and the function is named for what happens when a service starts (`new`, `init`, `connect`);
    /// - no service runs it: tools, subcommands (also by the path of their file), tests.
    ///
    /// `std::fs` is another rule's: `blocking-file-io-in-async`. Reading a small file at start-up is common and harmless.
    ///
    /// ## Source
    /// [Tokio: CPU-bound tasks and blocking code](https://docs.rs/tokio/latest/tokio/index.html#cpu-bound-tasks-and-blocking-code)
    "blocking-in-async", "MSVC615", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Whether this opens or takes a connection: while a service starts, nobody waits for its threads.
fn opens(path: &str) -> bool {
    path.ends_with("::establish") || path.ends_with("Pool") || path == "redis::Client"
}

/// Words in the names of functions that run when a service starts.
const AT_START: &[&str] = &[
    "new",
    "open",
    "init",
    "initialize",
    "connect",
    "start",
    "setup",
    "build",
    "main",
    "migrate",
    "migration",
    "migrations",
    "options",
    "tables",
    "schema",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for (path, instead) in BLOCKING_CALLS {
        let calls = workspace.calls_to(path).filter(|call| !opens(path) || !is_of_start(*call));
        calls.for_each(|call| report(call, &format!("`{path}`"), instead, out));
    }
    let is_there = |client: &str| {
        let package = client.split("::").next().unwrap_or(client).replace('_', "-");
        let blocking = |feature: &String| feature == "blocking";
        let dependencies = workspace.packages.iter().flat_map(|package| &package.dependencies);
        package == "std"
            || dependencies
                .into_iter()
                .any(|known| known.package == package && (package != "reqwest" || known.features.iter().any(blocking)))
    };
    for (client, methods, instead) in BLOCKING_CLIENTS.iter().filter(|(client, ..)| is_there(client)) {
        for method in *methods {
            let calls = workspace.methods(method).filter(|call| call.receiver().is_some_and(|receiver| receiver.is_a(client)));
            let in_service = calls.filter(|call| !opens(client) || !is_of_start(*call));
            in_service.for_each(|call| report(call, &format!("`{client}::{method}`"), instead, out));
        }
    }
    for method in ["output", "status"] {
        // `Command::new("pdftotext").arg(file).output()`; `spawn` comes back at once.
        let by_std = |call: &Node<'_>| {
            let root = call.receivers().last().map(|root| root.binding().unwrap_or(root));
            root.and_then(|root| root.receivers().last()?.external())
                .is_some_and(|path| path.starts_with("std::process::Command::"))
        };
        let instead = "write `tokio::process::Command`, and `.await` it";
        let calls = workspace.methods(method).filter(by_std);
        calls.for_each(|call| report(call, &format!("`std::process::Command::{method}`"), instead, out));
    }
    let on_runtime =
        |call: &Node<'_>| call.receiver().is_some_and(|receiver| RUNTIMES.iter().any(|runtime| receiver.is_a(runtime)));
    let instead =
        "write `.await` instead; what is not async yet becomes it, or moves to its own thread with `tokio::task::spawn_blocking`";
    workspace.methods("block_on").filter(on_runtime).for_each(|call| report(call, "`block_on`", instead, out));
}

fn report(call: Node<'_>, what: &str, instead: &str, out: &mut Vec<Diagnostic>) {
    let workspace = call.workspace;
    let right = |why| workspace.spared(|| call.at(), why);
    if on_own_thread(call) {
        return right("it has a thread of its own");
    }
    if paths::is_command(call) {
        return right("it is part of a command");
    }
    let (service, caller) = if runs_in_async(call) {
        (workspace.run_by(call), None)
    } else {
        let Some(caller) = async_caller(call) else { return right("no async code calls it") };
        (workspace.run_by(call), Some(caller))
    };
    let Some(service) = service else { return };
    let mut diagnostic = Diagnostic::new(format!("{what} blocks a thread of the async runtime"), call.name_at(), "blocks here")
        .help(instead)
        .evidence("looked for: `spawn_blocking`, `block_in_place`, `std::thread`, rayon or another closure around it")
        .service(&service.name);
    if let (true, None) = (call.external() == Some("std::thread::sleep"), caller) {
        let fix = Fix::unsafe_("sleep without holding the thread");
        diagnostic = diagnostic.fix(fix.replace(call.name_at(), "tokio::time::sleep").after(call.at(), ".await"));
    }
    if let Some(caller) = caller {
        diagnostic = diagnostic.related(caller, "async code calls it here");
    }
    out.push(diagnostic);
}

/// In async code, closures included that the method they are given to calls at once.
fn runs_in_async(call: Node<'_>) -> bool {
    const AT_ONCE: &[&str] =
        &["map", "and_then", "or_else", "unwrap_or_else", "map_or", "map_or_else", "map_err", "is_some_and", "is_ok_and"];
    if call.is_async() {
        return true;
    }
    let closure = call.ancestors().find(|node| matches!(node.kind(), ExprKind::Closure { .. }));
    let taker = closure.and_then(Node::parent).filter(|taker| taker.method().is_some_and(|name| AT_ONCE.contains(&name)));
    taker.is_some_and(runs_in_async)
}

/// Whether a closure around it runs on a thread that may block.
fn on_own_thread(call: Node<'_>) -> bool {
    call.ancestors().any(|node| {
        let name = node.last_name();
        // `thread_pool.run(…)`
        let of_threads = node.receiver().and_then(Node::variable).is_some_and(|name| has_word(name, &["thread", "threads"]));
        matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. })
            && (of_threads || name.is_some_and(|name| OWN_THREAD.contains(&name)))
    })
}

fn is_of_start(call: Node<'_>) -> bool {
    call.function().is_some_and(|function| has_word(&call.workspace.function(function).name, AT_START))
}

/// Where async code that a service runs calls the plain function around this call, on the same thread for certain.
fn async_caller(call: Node<'_>) -> Option<Location> {
    if call.ancestors().any(|node| matches!(node.kind(), ExprKind::Closure { .. } | ExprKind::Async(_))) {
        return None;
    }
    let workspace = call.workspace;
    let mut places = workspace.graph.places(workspace, &Target::Function(call.function()?));
    let called = |place: &Node<'_>| {
        let parent = place.parent();
        place.method().is_some()
            || parent.is_some_and(|parent| matches!(parent.kind(), ExprKind::Call { callee, .. } if *callee == place.id))
    };
    let found = places.find(|place| {
        let migrates = paths::has_word(paths::within_package(*place), &["migration", "migrations"]);
        called(place)
            && place.is_async()
            && place.ships()
            && !migrates
            && !on_own_thread(*place)
            && workspace.run_by(*place).is_some()
    });
    found.map(Node::name_at)
}

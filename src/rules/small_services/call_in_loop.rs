use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::libraries::REQUEST_METHODS;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Name, Outline};

crate::declare_rule! {
    /// A request is sent to another service for each element of a collection, one after the other.
    ///
    /// ## Why is this bad?
    /// A hundred elements are a hundred round trips in a row: the time adds up, one slow answer holds the rest, and the other service
    /// takes a hundred requests for one of its caller's. It is most often a sign that the two exchange too little at a time.
    ///
    /// ## Example
    /// ```rust
    /// for item in &order.items {
    ///     let price = client.get(format!("{prices}/v1/prices/{}", item.sku)).send().await?;
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let prices = client.post(format!("{prices}/v1/prices:batch")).json(&skus).send().await?;
    /// ```
    /// or, where there is no such request: `stream::iter(items).map(…).buffer_unordered(8)`.
    ///
    /// ## Not reported when
    /// - it is a loop of attempts or of polling: it counts, it sleeps, it leaves on the first success, or its request does not depend on
    ///   the element;
    /// - the elements are written out in the code (`for currency in ["EUR", "USD"]`);
    /// - it goes over hosts, peers or replicas, each of which is asked once;
    /// - the loop runs in a job of its own (`spawn`), where nobody waits for it;
    /// - no service runs it.
    ///
    /// Looked at: requests of `reqwest::Client` that are awaited inside a `for`, or in a function that is awaited there and always sends
    /// one.
    ///
    /// ## Source
    /// [Microsoft: Chatty I/O
    /// antipattern](https://learn.microsoft.com/azure/architecture/antipatterns/chatty-io/).
    "call-in-loop", "MSVC208", Practice::SmallServices, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Words of what a loop goes over where each element is another system, or an attempt.
const NO_ELEMENTS: &[&str] = &[
    "host",
    "peer",
    "node",
    "replica",
    "endpoint",
    "url",
    "server",
    "attempt",
    "retr",
    "target",
    "provider",
    "backend",
    "upstream",
    "webhook",
    "page",
    "chunk",
    "batch",
    "subscriber",
    "destination",
    "instance",
    "mirror",
    "payload",
    "index",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let may = |_, outline: &Outline| REQUEST_METHODS.iter().any(|name| outline.names(name));
    let executed = workspace.named_if("execute", |_, outline| outline.loops());
    for send in workspace.named_if("send", may).chain(executed) {
        let by_client = |node: &Node<'_>| node.receiver().is_some_and(|client| client.is_a("reqwest::Client"));
        let request = match send.method() {
            Some("execute") => Some(send).filter(by_client),
            _ => send
                .receivers()
                .skip(1)
                .find(|node| node.method().is_some_and(|name| REQUEST_METHODS.contains(&name)) && by_client(node)),
        };
        let Some(request) = request.filter(|_| send.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Await(_))))
        else {
            continue;
        };
        let (at, over) = match looped(send, request) {
            Some(over) => (request, over),
            None => match looped_by_caller(send) {
                Some(found) => found,
                None => continue,
            },
        };
        let Some(service) = workspace.run_by(at).filter(|_| !is_job(at)) else { continue };
        let message = "a request is sent for each element of a loop, one after the other";
        let mut diagnostic = Diagnostic::new(message, at.name_at(), "waits for each answer")
            .help("ask for all of them in one request, or send a bounded number at a time with `buffer_unordered`")
            .related(over.at(), "in this loop")
            .evidence("attempts, polling, hosts that are each asked once, tasks of their own")
            .service(&service.name);
        if at.id != request.id || at.file != request.file {
            diagnostic = diagnostic.related(request.name_at(), "this request");
        }
        out.push(diagnostic);
    }
}

/// Whether nobody waits for the function around this: each of its calls is spawned.
fn is_job(at: Node<'_>) -> bool {
    let spawned = |call: &Node<'_>| call.ancestors().any(|node| node.last_name().is_some_and(|name| name.starts_with("spawn")));
    let calls = at.function().map(|function| at.workspace.results_of(function)).unwrap_or_default();
    let mut calls = calls.into_iter().filter(|call| call.ships()).peekable();
    calls.peek().is_some() && calls.all(|call| spawned(&call))
}

/// Where a loop awaits the function that certainly sends the request, and what it goes over.
fn looped_by_caller<'w>(send: Node<'w>) -> Option<(Node<'w>, Node<'w>)> {
    let decides = |node: Node<'_>| {
        matches!(
            node.kind(),
            ExprKind::If { .. }
                | ExprKind::Match { .. }
                | ExprKind::Closure { .. }
                | ExprKind::Loop(_)
                | ExprKind::While { .. }
                | ExprKind::For { .. }
        )
    };
    // `match client.get(url).send().await { … }` sends it, whatever comes after.
    let mut inner = send.id;
    for around in send.ancestors() {
        let on = match around.kind() {
            ExprKind::Match { on: first, .. } | ExprKind::If { condition: first, .. } => *first == inner,
            _ => false,
        };
        if decides(around) && !on {
            return None;
        }
        inner = around.id;
    }
    let workspace = send.workspace;
    let body = workspace.body(send.function()?)?;
    // What it has at hand, it does not ask for.
    let mut before = body.descendants().filter(|node| node.id < send.id);
    if before.any(|node| matches!(node.kind(), ExprKind::Return(_))) {
        return None;
    }
    let calls = workspace.results_of(send.function()?).into_iter().filter(|call| call.ships());
    let awaited = |call: &Node<'_>| call.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Await(_)));
    calls.filter(awaited).find_map(|call| Some((call, looped(call, call)?)))
}

/// The `for` around a request that depends on its element; what it goes over.
fn looped<'w>(send: Node<'w>, request: Node<'w>) -> Option<Node<'w>> {
    for ancestor in send.ancestors() {
        match ancestor.kind() {
            ExprKind::Closure { .. } | ExprKind::Async(_) => return None,
            ExprKind::For { names, over, body } => {
                let (over, body) = (ancestor.with(*over), ancestor.with(*body));
                let uses = |node: Node<'_>, names: &[Name]| {
                    let variable = node.variable().is_some_and(|name| names.iter().any(|bound| &**bound == name));
                    let named = |text: &str| names.iter().any(|name| text.contains(&format!("{{{name}")));
                    variable || node.text().is_some_and(named)
                };
                // `let url = format!("{base}/{id}");` in the loop depends on it, too.
                let mut own = names.to_vec();
                for bound in body.descendants().take_while(|node| node.id < send.id) {
                    if let ExprKind::Let { names, value: Some(value), .. } = bound.kind()
                        && bound.with(*value).descendants().any(|part| uses(part, &own))
                    {
                        own.extend(names.iter().cloned());
                    }
                }
                let statement = send.ancestors().take_while(|node| node.id != body.id).last().unwrap_or(send);
                let depends =
                    request.parent().into_iter().chain([statement]).flat_map(Node::descendants).any(|node| uses(node, &own));
                let mut words = over.descendants().filter_map(|node| node.last_name().or(node.variable()).or(field(node)));
                let named = |name: &str| NO_ELEMENTS.iter().any(|word| name.to_ascii_lowercase().contains(word));
                // A range counts, and a list that is written out has as many elements as the code says.
                let is_counted = matches!(over.peel().kind(), ExprKind::Other(_));
                let leaves = |node: Node<'_>| {
                    matches!(node.kind(), ExprKind::Return(Some(_)))
                        || node.last_name().is_some_and(|name| name.starts_with("sleep"))
                };
                let skips = is_counted || !depends || words.any(named) || names.iter().any(|name| named(name));
                return (!skips && !body.descendants().any(leaves)).then_some(over);
            }
            ExprKind::Loop(_) | ExprKind::While { .. } => return None,
            _ => {}
        }
    }
    None
}

fn field(node: Node<'_>) -> Option<&str> {
    match node.kind() {
        ExprKind::Field { name, .. } => Some(name),
        _ => None,
    }
}

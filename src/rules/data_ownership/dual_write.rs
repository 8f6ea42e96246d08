use std::collections::{BTreeMap, HashSet};

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::workloads::mentions;
use crate::rules::resiliency_patterns::requests::{handlers, reached_from};
use crate::rules::words::has_word;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::sql::Verb;
use crate::workspace::tables::statements;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// One request writes to the database and sends a message, and either may be lost.
    ///
    /// ## Why is this bad?
    /// There is no transaction over a database and a broker. A crash, a timeout or a full broker between the two leaves an order that
    /// nobody hears of, or a message about an order that was never stored, and nothing finds out or mends it.
    ///
    /// ## Example
    /// ```rust
    /// sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id).execute(&pool).await?;
    /// nats.publish("orders.placed", event.into()).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let mut transaction = pool.begin().await?;
    /// sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(id).execute(&mut *transaction).await?;
    /// sqlx::query("INSERT INTO outbox (subject, event) VALUES ($1, $2)").bind("orders.placed").bind(event).execute(&mut *transaction).await?;
    /// transaction.commit().await?;
    /// ```
    /// and a task that sends what stands in the outbox, again until the broker has it; or change data capture on the table.
    ///
    /// ## Not reported when
    /// - something that the service reaches, or a table of it, is named for an outbox, or a manifest names Debezium;
    /// - the two are not certainly reached from one handler, or stand in two branches of one decision;
    /// - it happens for a message, which the broker delivers again;
    /// - what is sent goes to no broker: HTTP calls, Redis, channels of this process;
    /// - the write is not seen: its text is put together at run time, the store is no SQL database.
    ///
    /// Sent is by `rdkafka`, `rskafka`, `lapin`, `amqprs`, `async-nats`, and the SNS and SQS clients of AWS.
    ///
    /// ## Source
    /// Richardson, [Transactional outbox](https://microservices.io/patterns/data/transactional-outbox.html).
    "dual-write", "MSVC507", Practice::DataOwnership, Level::Warn, Tier::Pedantic, Check::Service(check)
}

const OUTBOX: &[&str] = &["outbox", "cdc", "debezium"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    let own = |node: &Node<'_>| workspace.runs(service, *node);
    let sends = by_function(sends(workspace).into_iter().filter(own));
    if sends.is_empty() || has_outbox(workspace, service) {
        return;
    }
    let writes =
        statements(workspace).into_iter().filter(|statement| statement.verb == Verb::Write).map(|statement| statement.node);
    let writes = by_function(writes.filter(own));
    let mut seen = HashSet::new();
    for handler in handlers(workspace, &served) {
        let reached = reached_from(workspace, service, handler);
        let found = in_functions(&sends, &reached).find_map(|send| {
            let write = in_functions(&writes, &reached).find(|write| !are_alternatives(send, *write))?;
            Some((send, write))
        });
        let Some((send, write)) = found.filter(|(send, _)| seen.insert((send.file, send.id))) else { continue };
        let diagnostic = Diagnostic::new(
            "this message and a row of the database are written by one request, and either may be lost",
            send.name_at(),
            "the message",
        )
        .related(write.name_at(), "the row")
        .related(workspace.function_location(handler), "the handler that comes to both")
        .help("write the message into an outbox table, in the transaction of the row, and let a task send it")
        .evidence("a table, a function or a type named for an outbox; change data capture")
        .evidence("two branches of one decision")
        .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

type ByFunction<'w> = BTreeMap<FunctionRef, Vec<Node<'w>>>;

fn by_function<'w>(nodes: impl Iterator<Item = Node<'w>>) -> ByFunction<'w> {
    let mut found = ByFunction::new();
    for node in nodes {
        if let Some(function) = node.function() {
            found.entry(function).or_default().push(node);
        }
    }
    found
}

fn in_functions<'w>(nodes: &ByFunction<'w>, functions: &[FunctionRef]) -> impl Iterator<Item = Node<'w>> {
    functions.iter().filter_map(|function| nodes.get(function)).flatten().copied()
}

/// Messages given to a broker.
fn sends(workspace: &Workspace) -> Vec<Node<'_>> {
    // A record of Kafka is made to be sent.
    let records = ["rdkafka::producer::FutureRecord::to", "rdkafka::producer::BaseRecord::to"];
    let mut found: Vec<Node<'_>> = records.into_iter().flat_map(|path| workspace.calls_to(path)).collect();
    let published =
        |call: &Node<'_>| call.packages().any(|package| ["lapin", "amqprs"].iter().any(|name| package.depends_on(name)));
    found.extend(workspace.methods("basic_publish").filter(published));
    let clients: &[(&str, &str)] = &[
        ("publish", "async_nats::"),
        ("publish_with_headers", "async_nats::"),
        ("send_publish", "async_nats::"),
        ("publish", "aws_sdk_sns::"),
        ("publish_batch", "aws_sdk_sns::"),
        ("send_message", "aws_sdk_sqs::"),
        ("send_message_batch", "aws_sdk_sqs::"),
        ("produce", "rskafka::"),
    ];
    for (method, library) in clients {
        let of = |call: &Node<'_>| {
            let ty = call.receiver().map(Node::ty);
            matches!(ty, Some(Definition::External(path)) if path.starts_with(library))
        };
        found.extend(workspace.methods(method).filter(of));
    }
    found
}

/// Whether a decision runs one of them and not the other.
fn are_alternatives(one: Node<'_>, other: Node<'_>) -> bool {
    let branch = |node: Node<'_>, decision: Node<'_>| {
        let above = std::iter::once(node).chain(node.ancestors());
        above.take_while(|part| part.id != decision.id).last().map(|part| part.id)
    };
    let decides = |node: &Node<'_>| matches!(node.kind(), ExprKind::If { .. } | ExprKind::Match { .. });
    one.file == other.file
        && one.ancestors().filter(decides).any(|decision| {
            other.ancestors().any(|above| above.id == decision.id) && branch(one, decision) != branch(other, decision)
        })
}

/// Whether the service, or what runs beside it, sends what a table holds.
fn has_outbox(workspace: &Workspace, service: &Service) -> bool {
    let tables = workspace.tables().uses.iter().filter(|used| used.package == service.package);
    let in_code = |node: Node<'_>| node.path().is_some_and(|path| path.iter().any(|name| has_word(name, OUTBOX)));
    let reach = workspace.binary(service).and_then(|binary| workspace.reach.get(&binary));
    let functions = reach.map(|reach| reach.functions()).unwrap_or_default();
    let images = workspace.compose.iter().flat_map(|file| &file.services).filter_map(|run| run.image.as_ref());
    tables.into_iter().any(|used| has_word(&used.table.name, OUTBOX))
        || functions.iter().any(|&function| {
            let item = workspace.function(function);
            let owner = item.owner.iter().flat_map(|owner| owner.iter()).any(|name| has_word(name, OUTBOX));
            owner || has_word(&item.name, OUTBOX) || workspace.body(function).is_some_and(|body| body.descendants().any(in_code))
        })
        || images.into_iter().any(|image| image.name.contains("debezium"))
        || workspace.kubernetes.iter().any(|object| mentions(&object.node, "debezium"))
}

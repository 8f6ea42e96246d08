use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

crate::declare_rule! {
    /// A consumer lets the broker send it every message at once.
    ///
    /// ## Why is this bad?
    /// Without a prefetch limit RabbitMQ pushes the whole queue to the first consumer: a backlog fills that replica's memory until it
    /// is killed, the others have nothing to do, and everything is delivered again to the next victim.
    ///
    /// ## Example
    /// ```rust
    /// let consumer = channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// channel.basic_qos(32, BasicQosOptions::default()).await?;
    /// let consumer = channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await?;
    /// ```
    ///
    /// ## Not reported when
    /// - the service calls `basic_qos` anywhere;
    /// - the consumer asks for no acknowledgements (`no_ack: true`), where a prefetch limit means nothing;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// Kafka, NATS JetStream and Pulsar clients bound what they fetch by default and are not looked at.
    ///
    /// ## Source
    /// [RabbitMQ: Consumer Prefetch](https://www.rabbitmq.com/docs/consumer-prefetch): "a value of 0 is treated as infinite", the default.
    /// lapin 4 `src/channel.rs`: `basic_qos` is the caller's to send.
    "consumer-without-prefetch", "MSVC620", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for call in workspace.methods("basic_consume") {
        let own = call.receiver().is_none_or(|on| matches!(on.ty(), Definition::Type(_)));
        let Some(service) = workspace.run_by(call).filter(|_| !own) else { continue };
        let limited = workspace.methods("basic_qos").any(|limit| workspace.runs(service, limit));
        if limited || asks_for_no_acknowledgements(call) {
            continue;
        }
        let mut diagnostic = Diagnostic::new("this consumer has no prefetch limit", call.name_at(), "the broker sends it the whole queue")
            .help("call `channel.basic_qos(count, BasicQosOptions::default())` before it, with as many messages as one replica works on at once")
            .evidence("`basic_qos` in all code of the service")
            .evidence("`no_ack: true`")
            .service(&service.name);
        if let Some(fix) = fix(call) {
            diagnostic = diagnostic.fix(fix);
        }
        out.push(diagnostic);
    }
}

fn asks_for_no_acknowledgements(call: Node<'_>) -> bool {
    let is_set = |node: Node<'_>| match node.kind() {
        ExprKind::Struct { fields, .. } => fields.iter().any(|(name, value)| &**name == "no_ack" && !is_false(node.with(*value))),
        ExprKind::Method { name, .. } => &**name == "no_ack" || &**name == "manual_ack",
        _ => false,
    };
    call.arguments().any(|argument| argument.binding().unwrap_or(argument).descendants().any(is_set))
}

fn is_false(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Literal(Literal::Bool(false)))
}

/// A statement before this one, where the channel has a plain name, the crate is lapin and errors are handed on.
fn fix(call: Node<'_>) -> Option<Fix> {
    let channel = call.receiver()?.variable()?;
    let awaited = call.parent().filter(|parent| matches!(parent.kind(), ExprKind::Await(_)))?;
    awaited.parent().filter(|parent| matches!(parent.kind(), ExprKind::Try(_)))?;
    call.packages().next()?.dependency("lapin")?;
    let mut statement = call;
    for node in call.ancestors() {
        match node.kind() {
            ExprKind::Block(_) => {
                let text = format!("{channel}.basic_qos(32, lapin::options::BasicQosOptions::default()).await?;\n    ");
                return Some(Fix::unsafe_("limit it to 32 messages at a time").before(statement.at(), text));
            }
            ExprKind::Closure { .. } | ExprKind::Arm { .. } => return None,
            _ => statement = node,
        }
    }
    None
}

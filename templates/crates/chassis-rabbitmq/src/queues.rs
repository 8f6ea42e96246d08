//! What is made on the broker, unless it is there. Quorum queues keep what they confirm when a server dies.

use std::time::Duration;

use chassis_messaging::names::{Reader, events};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind, Result};

/// Where a service publishes its events. Who reads them binds a queue; until somebody does, nobody keeps them.
pub async fn exchange(channel: &Channel, service: &str) -> Result<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let name = events(service).into();
    channel
        .exchange_declare(name, ExchangeKind::Topic, durable, FieldTable::default())
        .await
}

/// The reader's queue, bound to all events of its source, and the one for what it puts aside.
pub async fn of_reader(channel: &Channel, reader: &Reader) -> Result<()> {
    exchange(channel, &reader.source).await?;
    let dead_letters = reader.dead_letters();
    quorum(channel, &dead_letters, &[]).await?;
    // What the broker itself gives up, because it was returned too often, is put aside as well.
    quorum(channel, &reader.queue(), &leads_to(&dead_letters)).await?;
    let (queue, source) = (reader.queue().into(), events(&reader.source).into());
    let all = "#".into();
    channel
        .queue_bind(
            queue,
            source,
            all,
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
}

/// Where messages wait so long, and then go back to the reader's queue. One for each pause: a queue lets messages go in
/// the order in which they came, whichever is due.
pub async fn waiting(channel: &Channel, queue: &str, pause: Duration) -> Result<String> {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    let name = format!("{queue}_retry_{millis}");
    let mut arguments = leads_to(queue);
    arguments.push(("x-message-ttl", AMQPValue::LongLongInt(millis)));
    quorum(channel, &name, &arguments).await?;
    Ok(name)
}

type Argument = (&'static str, AMQPValue);

/// Messages that leave without being accepted go to another queue, and are not lost on the way.
fn leads_to(queue: &str) -> Vec<Argument> {
    vec![
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(queue)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

async fn quorum(channel: &Channel, name: &str, more: &[Argument]) -> Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in more {
        arguments.insert((*key).into(), value.clone());
    }
    channel
        .queue_declare(
            name.to_owned().into(),
            QueueDeclareOptions::durable(),
            arguments,
        )
        .await?;
    Ok(())
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

//! Messages that come in, and what becomes of them.

use std::time::Duration;

use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{Delivery, Receipt, Subscription};
use chassis_messaging::consumer::Consumption;
use chassis_messaging::message::{FAILURES, Message, REASON};
use chassis_messaging::names::Reader;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};

use crate::connection::{Open, confirm, publish};
use crate::queues;

pub struct Incoming {
    open: Open,
    consumer: Consumer,
    reader: Reader,
}

impl Incoming {
    pub async fn start(
        open: Open,
        reader: &Reader,
        consumption: &Consumption,
    ) -> Result<Self, Error> {
        let channel = &open.channel;
        queues::of_reader(channel, reader).await?;
        // The broker hands out no more than can be handled at once.
        let prefetch = u16::try_from(consumption.max_in_flight).unwrap_or(u16::MAX);
        channel
            .basic_qos(prefetch, BasicQosOptions::default())
            .await?;
        let (queue, tag) = (reader.queue().into(), reader.service.clone().into());
        let options = BasicConsumeOptions::default();
        let consumer = channel
            .basic_consume(queue, tag, options, FieldTable::default())
            .await?;
        Ok(Self {
            open,
            consumer,
            reader: reader.clone(),
        })
    }

    fn delivery(&self, received: lapin::message::Delivery) -> Delivery {
        let headers = received.properties.headers().clone().unwrap_or_default();
        // Those that ended a process, and those that were told.
        let returned = number(&headers, "x-delivery-count");
        let failures = number(&headers, FAILURES);
        let message = Message::received(|name| text(&headers, name), received.data.clone());
        let receipt = Pending {
            channel: self.open.channel.clone(),
            reader: self.reader.clone(),
            attempt: 1 + returned + failures,
            received,
        };
        Delivery {
            message,
            attempt: receipt.attempt,
            receipt: Box::new(receipt),
        }
    }
}

impl Subscription for Incoming {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async move {
            match self.consumer.next().await {
                Some(Ok(received)) => Ok(self.delivery(received)),
                Some(Err(error)) => Err(error.into()),
                None => Err("the broker has ended the delivery of messages".into()),
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let tag = self.consumer.tag();
            _ = self
                .open
                .channel
                .basic_cancel(tag, BasicCancelOptions::default())
                .await;
            self.open.close().await;
        })
    }
}

fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(headers: &FieldTable, name: &str) -> u32 {
    let found = headers.inner().get(name).and_then(|value| match value {
        AMQPValue::LongLongInt(number) => u32::try_from(*number).ok(),
        AMQPValue::LongInt(number) => u32::try_from(*number).ok(),
        AMQPValue::LongUInt(number) => Some(*number),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        _ => None,
    });
    found.unwrap_or(0)
}

struct Pending {
    channel: Channel,
    reader: Reader,
    attempt: u32,
    received: lapin::message::Delivery,
}

impl Pending {
    /// Acknowledged once another queue holds it: it may be in both for a moment, and is never in none.
    async fn move_to(self, queue: &str, header: (&str, AMQPValue)) -> Result<(), Error> {
        let properties = self.received.properties.clone();
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(header.0.to_owned().into(), header.1);
        let properties = properties.with_headers(headers);
        let sent = publish(&self.channel, "", queue, &self.received.data, properties).await?;
        confirm(sent.await?)?;
        accept(&self.received).await
    }
}

async fn accept(received: &lapin::message::Delivery) -> Result<(), Error> {
    match received.acker.ack(BasicAckOptions::default()).await? {
        true => Ok(()),
        false => Err("the connection was lost".into()),
    }
}

impl Receipt for Pending {
    fn accept(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move { accept(&self.received).await })
    }

    fn retry(self: Box<Self>, after: Duration) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let queue = queues::waiting(&self.channel, &self.reader.queue(), after).await?;
            let failures = AMQPValue::LongLongInt(self.attempt.into());
            self.move_to(&queue, (FAILURES, failures)).await
        })
    }

    fn put_aside(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let dead_letters = self.reader.dead_letters();
            let reason = AMQPValue::LongString(reason.into());
            self.move_to(&dead_letters, (REASON, reason)).await
        })
    }
}

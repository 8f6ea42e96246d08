//! Messages that come in, and what becomes of them. Kafka gives none back: one that is to be tried again waits here, and is
//! counted as not done with, so that it comes again from there when this replica dies.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{Delivery, Receipt, Subscription};
use chassis_messaging::message::{Message, REASON};
use chassis_messaging::names::{Reader, events};
use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Quiet;
use crate::progress::{Gone, Place, Progress};

const ELSEWHERE: &str = "its partition is another replica's meanwhile";
/// How long it may take to tell the others that this replica reads no more.
const LEAVE: Duration = Duration::from_secs(5);

/// What every reader is set to.
const SETTINGS: [(&str, &str); 9] = [
    ("auto.offset.reset", "earliest"),
    // What is stored is committed each second, and when a partition goes to another replica …
    ("auto.commit.interval.ms", "1000"),
    // … and a message is stored when it is done with.
    ("enable.auto.offset.store", "false"),
    // Of a replica that says nothing for so long, others take over.
    ("session.timeout.ms", "10000"),
    ("heartbeat.interval.ms", "3000"),
    // Those that stay keep their partitions when one comes or goes.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // Messages have a time limit of their own here: one day is the most that there is.
    ("max.poll.interval.ms", "86400000"),
    // What is fetched ahead.
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "16384"),
];

pub struct Incoming {
    /// Until it is closed.
    consumer: Option<Arc<StreamConsumer<Assigned>>>,
    progress: Arc<Progress>,
    producer: FutureProducer<Quiet>,
    dead_letters: String,
    /// From receipts to here.
    again: (UnboundedSender<Again>, UnboundedReceiver<Again>),
    waiting: BTreeMap<(Instant, Place), Again>,
    /// No more are taken while so many wait.
    room: usize,
}

/// A message that is to be tried again.
struct Again {
    due: Instant,
    attempt: u32,
    place: Place,
    received: OwnedMessage,
}

impl Incoming {
    pub fn start(
        config: &ClientConfig,
        reader: &Reader,
        producer: FutureProducer<Quiet>,
        room: usize,
    ) -> Result<Self, Error> {
        let mut config = config.clone();
        config.set("group.id", reader.queue());
        for (key, value) in SETTINGS {
            config.set(key, value);
        }
        let progress = Arc::<Progress>::default();
        let context = Assigned(progress.clone());
        let consumer: StreamConsumer<Assigned> = config.create_with_context(context)?;
        consumer.subscribe(&[&events(&reader.source)])?;
        Ok(Self {
            consumer: Some(Arc::new(consumer)),
            progress,
            producer,
            dead_letters: reader.dead_letters(),
            again: unbounded_channel(),
            waiting: BTreeMap::new(),
            room,
        })
    }

    fn delivery(&self, place: Place, attempt: u32, received: OwnedMessage) -> Delivery {
        let header = |name: &str| text(received.headers()?, name);
        let body = received.payload().unwrap_or_default().to_vec();
        Delivery {
            message: Message::received(header, body),
            attempt,
            receipt: Box::new(Pending {
                consumer: self
                    .consumer
                    .as_ref()
                    .map_or_else(Weak::new, Arc::downgrade),
                progress: self.progress.clone(),
                producer: self.producer.clone(),
                dead_letters: self.dead_letters.clone(),
                again: self.again.0.clone(),
                attempt,
                place,
                received,
            }),
        }
    }

    /// The next one whose pause is over, unless its partition has gone meanwhile.
    fn due(&mut self) -> Option<Again> {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 <= Instant::now()
        {
            let again = first.remove();
            if self.progress.holds(again.place) {
                return Some(again);
            }
        }
        None
    }
}

impl Subscription for Incoming {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async move {
            loop {
                if let Some(again) = self.due() {
                    return Ok(self.delivery(again.place, again.attempt, again.received));
                }
                let Some(consumer) = &self.consumer else {
                    return Err("the subscription is closed".into());
                };
                let first = self.waiting.first_key_value().map(|((due, _), _)| *due);
                let has_room = self.waiting.len() < self.room;
                tokio::select! {
                    received = receive(consumer), if has_room => {
                        let received = received?;
                        let place = self.progress.begun(received.partition(), received.offset());
                        return Ok(self.delivery(place, 1, received));
                    }
                    Some(again) = self.again.1.recv() => {
                        self.waiting.insert((again.due, again.place), again);
                    }
                    () = until(first) => {}
                }
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        // Commits, and tells the group, whose other members take over at once.
        let left = self.consumer.take();
        let left = spawn_blocking(move || drop(left));
        Box::pin(async move { _ = timeout(LEAVE, left).await })
    }
}

/// To leave a group takes an answer from the broker, which may be away.
impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            std::thread::spawn(move || drop(consumer));
        }
    }
}

/// Waits for a message. Of what goes wrong, it says what does not end by itself, or leaves nobody to read from.
async fn receive(consumer: &StreamConsumer<Assigned>) -> Result<OwnedMessage, Error> {
    use RDKafkaErrorCode::{BrokerTransportFailure, OperationTimedOut, Resolve};
    loop {
        match consumer.recv().await {
            Ok(received) => return Ok(received.detach()),
            Err(KafkaError::MessageConsumption(
                code @ (BrokerTransportFailure | OperationTimedOut | Resolve),
            )) => tracing::debug!(%code, "one of the brokers cannot be reached"),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn text(headers: &impl Headers, name: &str) -> Option<String> {
    let found = headers.iter().find(|header| header.key == name)?;
    Some(str::from_utf8(found.value?).ok()?.to_owned())
}

struct Pending {
    consumer: Weak<StreamConsumer<Assigned>>,
    progress: Arc<Progress>,
    producer: FutureProducer<Quiet>,
    dead_letters: String,
    again: UnboundedSender<Again>,
    attempt: u32,
    place: Place,
    received: OwnedMessage,
}

impl Pending {
    fn done(&self) -> Result<(), Error> {
        let consumer = self.consumer.upgrade().ok_or(ELSEWHERE)?;
        let topic = self.received.topic();
        let store = |offset| consumer.store_offset(topic, self.place.partition, offset);
        let stored = self.progress.done(self.place, store);
        match stored.map_err(|Gone| ELSEWHERE)? {
            Some(stored) => Ok(stored?),
            None => Ok(()),
        }
    }

    async fn put_aside(self, reason: String) -> Result<(), Error> {
        let headers = self.received.headers().map(OwnedHeaders::to_owned);
        let headers = headers.unwrap_or_default().insert(Header {
            key: REASON,
            value: Some(&reason),
        });
        let record = FutureRecord::to(&self.dead_letters)
            .key(self.received.key().unwrap_or_default())
            .payload(self.received.payload().unwrap_or_default())
            .headers(headers);
        let sent = self.producer.send_result(record);
        let sent = sent.map_err(|(error, _)| error)?;
        sent.await?.map_err(|(error, _)| error)?;
        self.done()
    }
}

impl Receipt for Pending {
    fn accept(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move { self.done() })
    }

    fn retry(self: Box<Self>, after: Duration) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let again = Again {
                due: Instant::now() + after,
                attempt: self.attempt + 1,
                place: self.place,
                received: self.received,
            };
            self.again.send(again).map_err(|_| ELSEWHERE.into())
        })
    }

    fn put_aside(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(Self::put_aside(*self, reason))
    }
}

/// Hears which partitions are this replica's.
struct Assigned(Arc<Progress>);

impl ConsumerContext for Assigned {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let elements = partitions.elements();
            self.0
                .revoked(elements.iter().map(|element| element.partition()));
        }
    }
}

impl ClientContext for Assigned {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Quiet.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Quiet.error(error, reason);
    }
}

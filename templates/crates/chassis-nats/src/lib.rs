//! Events by way of NATS JetStream: a stream for what a service publishes, a durable consumer for each service that reads
//! it, and a stream for what that one puts aside.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Context, Message as Received, consumer, stream};
use async_nats::{ConnectOptions, Event, connection, jetstream};
use chassis::config::{invalid, millis};
use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{
    Delivery, Published, Publisher, Receipt, Subscriber, Subscription, login,
};
use chassis_messaging::consumer::Consumption;
use chassis_messaging::message::{Message, REASON};
use chassis_messaging::names::{Reader, events};
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;

/// A request for messages waits so long for the first one.
const WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether the connection stands.
const LOOK: Duration = Duration::from_secs(1);
/// How long a message may be with a replica beyond the time to handle it, before it goes to another one.
const MARGIN: Duration = Duration::from_secs(10);

/// Where NATS is, and who this service is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `nats://host:4222`, several with commas between; `tls://` encrypts.
    pub url: String,
    /// With a password; else it is the service's name.
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    /// Certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// For what the broker is asked: to connect, to confirm.
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
    /// How long events are kept.
    #[serde(rename = "max_age_ms", deserialize_with = "millis")]
    pub max_age: Duration,
    /// On how many servers of a cluster.
    pub replicas: usize,
}

/// A connection, which is made again by itself. Clones share it.
#[derive(Clone)]
pub struct Nats {
    context: Context,
    max_age: Duration,
    replicas: usize,
    /// The service whose events are published here.
    service: String,
}

/// Connects in the background, now and whenever the connection is lost.
pub async fn connect(config: &Broker, service: &str) -> Result<Nats, Error> {
    let mut options = ConnectOptions::new()
        .name(service)
        .connection_timeout(config.timeout)
        .request_timeout(Some(config.timeout))
        .event_callback(tell)
        .retry_on_initial_connect();
    let (user, password) = (config.user.as_deref(), config.password.as_ref());
    let login = login(service, user, password, config.password_file.as_deref())?;
    if let Some((user, password)) = login {
        options = options.user_and_password(user, password.expose_secret().to_owned());
    }
    if let Some(file) = &config.ca_file {
        options = options.add_root_certificates(file.clone());
    }
    let servers: Vec<_> = config.url.split(',').map(str::trim).collect();
    let client = options.connect(servers).await;
    let client =
        client.map_err(|error| invalid("broker.url", format!("cannot be used: {error}")))?;
    let mut context = jetstream::new(client);
    context.set_timeout(config.timeout);
    Ok(Nats {
        context,
        max_age: config.max_age,
        replicas: config.replicas,
        service: service.to_owned(),
    })
}

/// Why there is no connection, which else nobody would learn: requests wait for one and time out.
async fn tell(event: Event) {
    match event {
        Event::ClientError(error) => tracing::warn!(%error, "NATS cannot be reached"),
        Event::ServerError(error) => tracing::warn!(%error, "NATS refuses"),
        event => tracing::info!("{event}"),
    }
}

impl Nats {
    /// Makes a stream unless it is there.
    async fn stream(&self, name: String, subjects: Vec<String>) -> Result<stream::Stream, Error> {
        let wanted = stream::Config {
            name,
            subjects,
            max_age: self.max_age,
            num_replicas: self.replicas,
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        Ok(self.context.get_or_create_stream(wanted).await?)
    }

    async fn events(&self, service: &str) -> Result<stream::Stream, Error> {
        let name = events(service);
        let subjects = vec![format!("{name}.>")];
        self.stream(name, subjects).await
    }

    async fn publish_all(&self, messages: &[Message], confirmed: &mut usize) -> Result<(), Error> {
        let subject = |message: &Message| format!("{}.{}", events(&self.service), message.kind);
        let mut sent = Vec::new();
        for message in messages {
            // The server drops what it has had within its duplicate window.
            let outgoing = outgoing(message).message_id(&message.id);
            sent.push(
                self.context
                    .send_publish(subject(message), outgoing)
                    .await?,
            );
        }
        for confirmation in sent {
            confirmation.await?;
            *confirmed += 1;
        }
        Ok(())
    }
}

fn outgoing(message: &Message) -> PublishMessage {
    let outgoing = PublishMessage::build().payload(message.body.clone().into());
    message.headers().fold(outgoing, |outgoing, (name, value)| {
        outgoing.header(name, value)
    })
}

impl Publisher for Nats {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Published> {
        Box::pin(async move {
            let mut confirmed = 0;
            let published = async {
                // Without its stream nobody would keep them.
                self.events(&self.service).await?;
                self.publish_all(messages, &mut confirmed).await
            };
            let failure = published.await.err();
            Published { confirmed, failure }
        })
    }
}

fn connected(context: &Context) -> Result<(), Error> {
    match context.client().connection_state() {
        connection::State::Connected => Ok(()),
        _ => Err("NATS cannot be reached".into()),
    }
}

impl Subscriber for Nats {
    fn subscribe<'a>(
        &'a self,
        reader: &'a Reader,
        consumption: &'a Consumption,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        Box::pin(async move {
            let dead_letters = reader.dead_letters();
            self.stream(dead_letters.clone(), vec![dead_letters.clone()])
                .await?;
            let events = self.events(&reader.source).await?;
            let consumer = events.create_consumer(pull::Config {
                durable_name: Some(reader.queue()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: consumption.handler_timeout + MARGIN,
                // It would leave the message where nobody looks. The consumer puts it aside.
                max_deliver: -1,
                // Each replica asks for as many as it has room for.
                max_ack_pending: -1,
                ..pull::Config::default()
            });
            let incoming = Incoming {
                consumer: consumer.await?,
                context: self.context.clone(),
                dead_letters,
                batch: None,
            };
            Ok(Box::new(incoming) as Box<dyn Subscription>)
        })
    }
}

/// Messages of a durable consumer, asked for as there is room for them.
struct Incoming {
    consumer: consumer::Consumer<pull::Config>,
    context: Context,
    dead_letters: String,
    batch: Option<pull::Batch>,
}

impl Subscription for Incoming {
    fn next(&mut self, room: usize) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async move {
            loop {
                // The client waits for another connection without a word.
                if let Err(error) = connected(&self.context) {
                    self.batch = None;
                    return Err(error);
                }
                if self.batch.is_none() {
                    let batch = self.consumer.batch().max_messages(room).expires(WAIT);
                    self.batch = Some(batch.messages().await?);
                }
                let Some(batch) = &mut self.batch else {
                    continue;
                };
                match timeout(LOOK, batch.next()).await {
                    Err(_) => {}
                    Ok(Some(Ok(received))) => return self.delivery(received),
                    Ok(Some(Err(error))) => {
                        self.batch = None;
                        return Err(error);
                    }
                    Ok(None) => self.batch = None,
                }
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // What comes on what was asked for goes to others at once.
            if let Some(mut batch) = self.batch.take() {
                let soon = Duration::from_millis(100);
                while let Ok(Some(Ok(received))) = timeout(soon, batch.next()).await {
                    _ = received.ack_with(AckKind::Nak(None)).await;
                }
            }
            _ = self.context.client().flush().await;
        })
    }
}

impl Incoming {
    fn delivery(&self, received: Received) -> Result<Delivery, Error> {
        let attempt = u32::try_from(received.info()?.delivered).unwrap_or(u32::MAX);
        let header = |name: &str| {
            let value = received.headers.as_ref()?.get(name)?;
            Some(value.as_str().to_owned())
        };
        let message = Message::received(header, received.payload.to_vec());
        let receipt = Pending {
            context: self.context.clone(),
            dead_letters: self.dead_letters.clone(),
            received,
        };
        Ok(Delivery {
            message,
            attempt,
            receipt: Box::new(receipt),
        })
    }
}

struct Pending {
    context: Context,
    dead_letters: String,
    received: Received,
}

impl Receipt for Pending {
    fn accept(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move { self.received.double_ack().await })
    }

    fn retry(self: Box<Self>, after: Duration) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move { self.received.ack_with(AckKind::Nak(Some(after))).await })
    }

    fn put_aside(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let Self {
                context,
                dead_letters,
                received,
            } = *self;
            let mut headers = received.headers.clone().unwrap_or_default();
            // One line: a header ends with it.
            headers.insert(REASON, &*reason.replace(['\r', '\n'], " "));
            let sent =
                context.publish_with_headers(dead_letters, headers, received.payload.clone());
            sent.await?.await?;
            received.double_ack().await
        })
    }
}

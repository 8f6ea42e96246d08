//! How Kafka is reached, and how messages are published. librdkafka connects by itself, now and whenever it has to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chassis::config::{ConfigError, invalid, millis};
use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{Published, Publisher, Subscriber, Subscription, login};
use chassis_messaging::consumer::Consumption;
use chassis_messaging::message::Message;
use chassis_messaging::names::{Reader, events};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::incoming::Incoming;

/// So many replicas of a topic as the cluster makes of those that say nothing of it.
const AS_THE_CLUSTER: TopicReplication<'_> = TopicReplication::Fixed(-1);

/// Where Kafka is, and who this service is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `kafka://host:9092`, several with commas between; `kafka+ssl://` encrypts.
    pub url: String,
    /// With a password; else it is the service's name.
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    /// How the password is told: `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.
    pub sasl_mechanism: String,
    /// Certificate authorities to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// For what the broker is asked: to make a topic, to confirm.
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
    /// How long events are kept in topics that are made here.
    #[serde(rename = "max_age_ms", deserialize_with = "millis")]
    pub max_age: Duration,
    /// Of topics that are made here: so many replicas of a reader can share the work.
    pub partitions: i32,
}

/// Clones share its connections.
#[derive(Clone)]
pub struct Kafka {
    config: ClientConfig,
    broker: Broker,
    /// The service whose events are published here.
    service: String,
    producer: FutureProducer<Quiet>,
    admin: Arc<AdminClient<Quiet>>,
    is_topic_made: Arc<AtomicBool>,
}

/// Connects in the background.
pub async fn connect(broker: &Broker, service: &str) -> Result<Kafka, Error> {
    if broker.partitions < 1 {
        return Err(invalid("broker.partitions", "must be more than 0").into());
    }
    let config = broker.client_config(service)?;
    let unusable = |error| invalid("broker", format!("cannot be used: {error}"));
    let mut publishing = config.clone();
    publishing
        // What all replicas of the topic have, in order, and once however often it is sent.
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", milliseconds(broker.timeout));
    Ok(Kafka {
        producer: publishing.create_with_context(Quiet).map_err(unusable)?,
        admin: Arc::new(config.create_with_context(Quiet).map_err(unusable)?),
        config,
        broker: broker.clone(),
        service: service.to_owned(),
        is_topic_made: Arc::default(),
    })
}

impl Broker {
    fn client_config(&self, service: &str) -> Result<ClientConfig, ConfigError> {
        let (servers, encrypts) = servers(&self.url).map_err(|it| invalid("broker.url", it))?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", servers)
            .set("client.id", service)
            .set("socket.timeout.ms", milliseconds(self.timeout))
            .set("reconnect.backoff.max.ms", "2000");
        let (user, password) = (self.user.as_deref(), self.password.as_ref());
        let login = login(service, user, password, self.password_file.as_deref())?;
        config.set(
            "security.protocol",
            match (encrypts, login.is_some()) {
                (false, false) => "PLAINTEXT",
                (false, true) => "SASL_PLAINTEXT",
                (true, false) => "SSL",
                (true, true) => "SASL_SSL",
            },
        );
        if let Some((user, password)) = login {
            config
                .set("sasl.mechanisms", &self.sasl_mechanism)
                .set("sasl.username", user)
                .set("sasl.password", password.expose_secret());
        }
        if let Some(file) = &self.ca_file {
            config.set("ssl.ca.location", file.to_string_lossy());
        }
        Ok(config)
    }
}

/// What librdkafka calls `bootstrap.servers`, and whether they are to be talked to in secret.
fn servers(url: &str) -> Result<(String, bool), &'static str> {
    let mut servers = Vec::new();
    let mut schemes = Vec::new();
    for server in url.split(',').map(str::trim) {
        let (scheme, server) = server.split_once("://").ok_or(
            "is not `kafka://host:port` or `kafka+ssl://host:port`, or several with commas between",
        )?;
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        if host.is_empty() || server.contains('/') {
            return Err("has a server with no name, or with more than a name and a port");
        }
        servers.push(server);
        schemes.push(scheme);
    }
    let all = |wanted: &str| schemes.iter().all(|scheme| *scheme == wanted);
    match (all("kafka"), all("kafka+ssl")) {
        (true, _) => Ok((servers.join(","), false)),
        (_, true) => Ok((servers.join(","), true)),
        _ => Err("must begin with `kafka://` or `kafka+ssl://`, the same for all servers"),
    }
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}

impl Kafka {
    /// Makes topics unless they are there.
    async fn make(&self, topics: &[&str]) -> Result<(), Error> {
        let max_age = milliseconds(self.broker.max_age);
        let wanted: Vec<_> = topics
            .iter()
            .map(|name| NewTopic::new(name, self.broker.partitions, AS_THE_CLUSTER))
            .map(|topic| topic.set("retention.ms", &max_age))
            .collect();
        let patience = Some(self.broker.timeout);
        let options = AdminOptions::new()
            .request_timeout(patience)
            .operation_timeout(patience);
        let made = self.admin.create_topics(&wanted, &options).await;
        let made = made.map_err(|error| self.unreachable(&error))?;
        for (name, code) in made.into_iter().filter_map(Result::err) {
            use RDKafkaErrorCode::{
                ClusterAuthorizationFailed, TopicAlreadyExists, TopicAuthorizationFailed,
            };
            match code {
                // Who may not make topics uses those that others have made.
                TopicAlreadyExists | TopicAuthorizationFailed | ClusterAuthorizationFailed => {}
                _ => return Err(format!("the topic {name} cannot be made: {code}").into()),
            }
        }
        Ok(())
    }

    fn unreachable(&self, error: &KafkaError) -> Error {
        let url = &self.broker.url;
        format!("{url} (`broker.url`) does not answer: {error}").into()
    }

    async fn publish_all(&self, messages: &[Message], confirmed: &mut usize) -> Result<(), Error> {
        let topic = events(&self.service);
        if !self.is_topic_made.load(Ordering::Relaxed) {
            self.make(&[&topic]).await?;
            self.is_topic_made.store(true, Ordering::Relaxed);
        }
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            let record = FutureRecord::to(&topic)
                .key(&message.key)
                .payload(&message.body)
                .headers(headers(message.headers()));
            let sending = self.producer.send_result(record);
            sent.push(sending.map_err(|(error, _)| error)?);
        }
        for confirmation in sent {
            confirmation.await?.map_err(|(error, _)| error)?;
            *confirmed += 1;
        }
        Ok(())
    }
}

fn headers<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> OwnedHeaders {
    headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    })
}

impl Publisher for Kafka {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Published> {
        Box::pin(async move {
            let mut confirmed = 0;
            let failure = self.publish_all(messages, &mut confirmed).await.err();
            if failure.is_some() {
                // What waits is of no use any more, and the topic may be gone.
                self.producer.purge(PurgeConfig::default().queue());
                self.is_topic_made.store(false, Ordering::Relaxed);
            }
            Published { confirmed, failure }
        })
    }
}

impl Subscriber for Kafka {
    fn subscribe<'a>(
        &'a self,
        reader: &'a Reader,
        consumption: &'a Consumption,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        Box::pin(async move {
            let (source, dead_letters) = (events(&reader.source), reader.dead_letters());
            self.make(&[&source, &dead_letters]).await?;
            let producer = self.producer.clone();
            let room = consumption.max_in_flight;
            let incoming = Incoming::start(&self.config, reader, producer, room)?;
            Ok(Box::new(incoming) as Box<dyn Subscription>)
        })
    }
}

/// What librdkafka says is for those who look for it: what goes wrong is told by what was asked of it. But not why a
/// connection is refused, after which that only times out.
#[derive(Clone)]
pub struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode::{Authentication, Resolve, SSL};
        match error.rdkafka_error_code() {
            Some(Authentication | Resolve | SSL) => {
                tracing::warn!(error = reason, "Kafka cannot be reached");
            }
            _ => tracing::debug!(%error, "librdkafka: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_and_whether_they_are_talked_to_in_secret() {
        for (url, expected) in [
            ("kafka://127.0.0.1:9092", Ok(("127.0.0.1:9092", false))),
            ("kafka://kafka", Ok(("kafka", false))),
            (
                "kafka+ssl://a.example:9093, kafka+ssl://b.example:9093",
                Ok(("a.example:9093,b.example:9093", true)),
            ),
            ("kafka://[::1]:9092", Ok(("[::1]:9092", false))),
            ("127.0.0.1:9092", Err("is not `kafka://host:port`")),
            ("amqp://a:1", Err("must begin with")),
            ("kafka://a:1,kafka+ssl://b:1", Err("must begin with")),
            ("kafka://:9092", Err("a server with no name")),
            ("kafka://a:1/topic", Err("more than a name and a port")),
            ("kafka://a:1,", Err("is not `kafka://host:port`")),
        ] {
            let got = servers(url);
            match expected {
                Ok((servers, encrypts)) => {
                    assert_eq!(got, Ok((servers.to_owned(), encrypts)), "{url}");
                }
                Err(problem) => assert!(got.unwrap_err().contains(problem), "{url}"),
            }
        }
    }
}

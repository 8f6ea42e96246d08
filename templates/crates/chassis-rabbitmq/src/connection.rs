//! How RabbitMQ is reached. A connection that is lost is made again by whoever needs it next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::config::{invalid, millis};
use chassis::{BoxFuture, Error};
use chassis_messaging::broker::{Published, Publisher, Subscriber, Subscription, login};
use chassis_messaging::consumer::Consumption;
use chassis_messaging::message::Message;
use chassis_messaging::names::{Reader, events};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::{incoming, queues};

/// The broker writes it to its disk.
const PERSISTENT: u8 = 2;

/// Where RabbitMQ is, and who this service is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `amqp://host:5672`, or `amqps://host:5671`, which encrypts; a virtual host comes after a `/`.
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
    /// A connection that is silent for so long is made again.
    pub heartbeat_s: u16,
}

/// Clones share the connection that messages are published on.
#[derive(Clone)]
pub struct RabbitMq {
    config: Broker,
    uri: AMQPUri,
    authorities: Option<String>,
    /// The service whose events are published here.
    service: String,
    publishing: Arc<Mutex<Option<Open>>>,
}

/// A connection and its only channel.
pub struct Open {
    connection: Connection,
    pub channel: Channel,
}

/// Connects when it is used.
pub async fn connect(config: &Broker, service: &str) -> Result<RabbitMq, Error> {
    let mut uri: AMQPUri = config
        .url
        .parse()
        .map_err(|error| invalid("broker.url", error))?;
    let (user, password) = (config.user.as_deref(), config.password.as_ref());
    let login = login(service, user, password, config.password_file.as_deref())?;
    if let Some((user, password)) = login {
        uri.authority.userinfo.username = user;
        password
            .expose_secret()
            .clone_into(&mut uri.authority.userinfo.password);
    }
    uri.query.heartbeat = Some(config.heartbeat_s);
    let authorities = config.ca_file.as_deref().map(|file| {
        std::fs::read_to_string(file).map_err(|error| {
            let problem = format!("cannot be read from {}: {error}", file.display());
            invalid("broker.ca_file", problem)
        })
    });
    Ok(RabbitMq {
        config: config.clone(),
        uri,
        authorities: authorities.transpose()?,
        service: service.to_owned(),
        publishing: Arc::default(),
    })
}

impl RabbitMq {
    /// A connection of its own, whose channel confirms what is published.
    pub async fn open(&self) -> Result<Open, Error> {
        let opened = async {
            let named = ConnectionProperties::default();
            let named = named.with_connection_name(self.service.as_str().into());
            let tls = OwnedTLSConfig {
                identity: None,
                cert_chain: self.authorities.clone(),
            };
            let runtime = lapin::runtime::default_runtime()?;
            let connection =
                Connection::connect_uri_with_config(self.uri.clone(), named, tls, runtime);
            let connection = connection.await?;
            let channel = connection.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok::<_, lapin::Error>(Open {
                connection,
                channel,
            })
        };
        let host = &self.uri.authority.host;
        match timeout(self.config.timeout, opened).await {
            Ok(Ok(open)) => Ok(open),
            Ok(Err(error)) => {
                Err(format!("cannot connect to {host} (`broker.url`): {error}").into())
            }
            Err(_) => Err(format!("{host} (`broker.url`) does not answer").into()),
        }
    }

    /// The one for publishing: as it is, or made again.
    async fn publishing<'a>(&self, open: &'a mut Option<Open>) -> Result<&'a Channel, Error> {
        let usable = open.take().filter(Open::is_usable);
        let usable = match usable {
            Some(usable) => usable,
            None => {
                let made = self.open().await?;
                queues::exchange(&made.channel, &self.service).await?;
                made
            }
        };
        Ok(&open.insert(usable).channel)
    }

    async fn publish_all(&self, messages: &[Message], confirmed: &mut usize) -> Result<(), Error> {
        let mut open = self.publishing.lock().await;
        let channel = self.publishing(&mut open).await?;
        let mut sent = Vec::new();
        for message in messages {
            let exchange = events(&self.service);
            let properties = properties(message.headers());
            let properties = properties.with_message_id(message.id.clone().into());
            sent.push(publish(channel, &exchange, &message.kind, &message.body, properties).await?);
        }
        for confirmation in sent {
            confirm(confirmation.await?)?;
            *confirmed += 1;
        }
        Ok(())
    }
}

impl Open {
    fn is_usable(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// After all that was sent on it.
    pub async fn close(&self) {
        _ = self.connection.close(200, "bye".into()).await;
    }
}

/// Sends a message, which the broker has yet to confirm.
pub async fn publish(
    channel: &Channel,
    exchange: &str,
    routing_key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions::default();
    let (exchange, routing_key) = (exchange.to_owned().into(), routing_key.to_owned().into());
    channel
        .basic_publish(exchange, routing_key, options, body, properties)
        .await
}

pub fn confirm(confirmation: lapin::Confirmation) -> Result<(), Error> {
    match confirmation.is_ack() {
        true => Ok(()),
        false => Err("the broker does not take the message".into()),
    }
}

/// Of a message that outlives the broker's restarts.
pub fn properties<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> BasicProperties {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(
            name.to_owned().into(),
            AMQPValue::LongString(value.to_owned().into()),
        );
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_headers(table)
}

impl Publisher for RabbitMq {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Published> {
        Box::pin(async move {
            let mut confirmed = 0;
            let failure = self.publish_all(messages, &mut confirmed).await.err();
            if failure.is_some() {
                // What is on its way is of no use any more.
                *self.publishing.lock().await = None;
            }
            Published { confirmed, failure }
        })
    }
}

impl Subscriber for RabbitMq {
    fn subscribe<'a>(
        &'a self,
        reader: &'a Reader,
        consumption: &'a Consumption,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        Box::pin(async move {
            let open = self.open().await?;
            let incoming = incoming::Incoming::start(open, reader, consumption).await?;
            Ok(Box::new(incoming) as Box<dyn Subscription>)
        })
    }
}

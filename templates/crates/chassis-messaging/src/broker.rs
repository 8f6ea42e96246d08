//! What a broker's own crate does. It reports what goes wrong and does not try again: [`crate::consumer`] and
//! [`crate::outbox`] do, for all of them.

use std::path::Path;
use std::time::Duration;

use chassis::config::{ConfigError, secret};
use chassis::{BoxFuture, Error};
use secrecy::SecretString;

use crate::consumer::Consumption;
use crate::message::{Malformed, Message};
use crate::names::Reader;

/// The user and the password that a broker is told, if there is a password: unless it says otherwise, a service is a user by
/// its own name.
pub fn login(
    service: &str,
    user: Option<&str>,
    password: Option<&SecretString>,
    password_file: Option<&Path>,
) -> Result<Option<(String, SecretString)>, ConfigError> {
    let password = secret("broker.password", password, password_file)?;
    Ok(password.map(|password| (user.unwrap_or(service).to_owned(), password)))
}

/// Where events are published.
pub trait Publisher: Send + Sync {
    /// Publishes these in their order.
    fn publish<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Published>;
}

/// What came of it.
#[derive(Debug)]
pub struct Published {
    /// So many, from the first on, are held by the broker: it has confirmed that.
    pub confirmed: usize,
    /// Why it is not all.
    pub failure: Option<Error>,
}

/// Where events are read.
pub trait Subscriber: Send + Sync {
    /// Begins to read, after making what is missing for that.
    fn subscribe<'a>(
        &'a self,
        reader: &'a Reader,
        consumption: &'a Consumption,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>>;
}

/// Messages that come in.
pub trait Subscription: Send {
    /// Waits for the next one. `room` is how many can be handled at once from now on. Nothing is lost when the wait is
    /// given up.
    fn next(&mut self, room: usize) -> BoxFuture<'_, Result<Delivery, Error>>;

    /// Takes no more; those that have come and were not handed out go back.
    fn close(&mut self) -> BoxFuture<'_, ()>;
}

/// A message that has come in, and the broker waits to hear of.
pub struct Delivery {
    pub message: Result<Message, Malformed>,
    /// The how many-th attempt this is, 1 at first. Those of replicas that died count, where the broker knows of them.
    pub attempt: u32,
    pub receipt: Box<dyn Receipt>,
}

/// Tells the broker what has become of a delivery. Told nothing, it delivers the message again.
pub trait Receipt: Send {
    /// It is done.
    fn accept(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>>;

    /// Once more, later.
    fn retry(self: Box<Self>, after: Duration) -> BoxFuture<'static, Result<(), Error>>;

    /// Never again: to be put aside, for a person to look at.
    fn put_aside(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<(), Error>>;
}

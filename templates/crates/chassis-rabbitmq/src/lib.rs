//! Events by way of RabbitMQ: an exchange for what a service publishes; a quorum queue for each service that reads it, one
//! for what that one puts aside, and one for each pause before another attempt.
//!
//! - [`connection`]: how it is reached, and how messages are published.
//! - [`queues`]: what is made there.
//! - [`incoming`]: messages that come in, and what becomes of them.

mod connection;
mod incoming;
mod queues;

pub use connection::{Broker, RabbitMq, connect};

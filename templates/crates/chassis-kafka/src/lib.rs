//! Events by way of Kafka: a topic for what a service publishes, a consumer group for each service that reads it, and a
//! topic for what that one puts aside.
//!
//! - [`client`]: how it is reached, and how messages are published.
//! - [`incoming`]: messages that come in, and what becomes of them.
//! - [`progress`]: up to where all are done with, which is all that Kafka is told.

mod client;
mod incoming;
mod progress;

pub use client::{Broker, Kafka, connect};

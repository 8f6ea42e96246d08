//! Events by way of a message broker, whichever it is. Each is delivered at least once: what is handled is acknowledged
//! after it, and what was not acknowledged comes again.
//!
//! - [`message`]: what is sent, and its headers, among them its id and its place in a trace.
//! - [`names`]: what queues, streams and topics are called.
//! - [`broker`]: what a broker's own crate does.
//! - [`consumer`]: takes messages, so many at once; what fails is tried again later, and in the end put aside.
//! - [`outbox`]: publishes what the service's own database holds for it.
//! - [`worker`]: the life of a service that nobody calls.
//! - [`memory`]: a broker for tests.

pub mod broker;
pub mod consumer;
pub mod memory;
pub mod message;
pub mod metrics;
pub mod names;
pub mod outbox;
pub mod worker;

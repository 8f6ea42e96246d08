//! What queues, streams and topics are called, on every broker.

/// Where a service's events are published.
pub fn events(service: &str) -> String {
    service.to_owned()
}

/// A service that reads the events of another one. Its replicas share the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub service: String,
    /// Whose events it reads.
    pub source: String,
}

impl Reader {
    pub fn new(service: &str, source: &str) -> Self {
        Self {
            service: service.to_owned(),
            source: source.to_owned(),
        }
    }

    /// Its queue, durable consumer or consumer group. No service's name holds a `_`.
    pub fn queue(&self) -> String {
        format!("{}_{}", self.service, self.source)
    }

    /// Where messages are put aside that it could not handle.
    pub fn dead_letters(&self) -> String {
        format!("{}_dead", self.queue())
    }
}

//! What is counted of messages.

use std::sync::LazyLock;

use chassis::metrics::{Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Labels, register};

/// What became of deliveries.
pub static CONSUMED: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    let help = "Messages delivered, by what became of them";
    register("messages_consumed", help, Family::default())
});

pub static DURATIONS: LazyLock<Family<Labels, Histogram>> = LazyLock::new(|| {
    register(
        "message_duration_seconds",
        "Time to handle a message",
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
    )
});

pub static IN_FLIGHT: LazyLock<Gauge> = LazyLock::new(|| {
    register(
        "messages_in_flight",
        "Messages being handled",
        Gauge::default(),
    )
});

pub static PUBLISHED: LazyLock<Counter> = LazyLock::new(|| {
    let help = "Messages that the broker has confirmed";
    register("messages_published", help, Counter::default())
});

pub static PUBLISH_FAILURES: LazyLock<Counter> = LazyLock::new(|| {
    let help = "Times that messages could not be published";
    register("messages_publish_failures", help, Counter::default())
});

pub(crate) fn consumed(source: &str, outcome: &str) {
    let labels = vec![
        ("outcome", outcome.to_owned()),
        ("source", source.to_owned()),
    ];
    CONSUMED.get_or_create_owned(&labels).inc();
}

//! What is counted, as Prometheus reads it from `/metrics`. To count something of your own:
//!
//! ```no_run
//! # use chassis::metrics::{register, Counter};
//! # use std::sync::LazyLock;
//! static PLACED: LazyLock<Counter> =
//!     LazyLock::new(|| register("orders_placed", "Orders placed", Counter::default()));
//! PLACED.inc();
//! ```

use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds in seconds: from a cached read to the request timeout.
pub const DURATION_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Names and values of a metric's labels.
pub type Labels = Vec<(&'static str, String)>;

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Adds a metric of this process. The name of a counter gets `_total`.
pub fn register<M: Metric + Clone>(name: &str, help: &str, metric: M) -> M {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry.register(name, help, metric.clone());
    metric
}

/// All metrics in the OpenMetrics text format, and its media type.
pub fn render() -> Result<(&'static str, String), fmt::Error> {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok((
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        text,
    ))
}

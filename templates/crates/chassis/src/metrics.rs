//! Request rate, errors and durations, as Prometheus reads them from `/metrics`; and a place to register your own:
//!
//! ```no_run
//! # use chassis::metrics::{register, Counter};
//! # use std::sync::LazyLock;
//! static PLACED: LazyLock<Counter> =
//!     LazyLock::new(|| register("orders_placed", "Orders placed", Counter::default()));
//! PLACED.inc();
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds in seconds: from a cached read to the request timeout.
pub const DURATION_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Methods that are told apart. Callers can make up others, and must not make up time series.
pub const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
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
    LazyLock::force(&HTTP);
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok((
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        text,
    ))
}

/// What is counted of the requests that this service answers.
pub static HTTP: LazyLock<Http> = LazyLock::new(|| Http {
    requests: register("http_requests", "Requests answered", Family::default()),
    durations: register(
        "http_request_duration_seconds",
        "Time until an answer begins",
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
    ),
    in_flight: register(
        "http_requests_in_flight",
        "Requests being answered",
        Gauge::default(),
    ),
    routes: RwLock::default(),
});

pub struct Http {
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
    pub in_flight: Gauge,
    /// By route pattern, so that paths with ids share a series; the metrics of each method, in the order of [`METHODS`].
    routes: RwLock<HashMap<String, Arc<Route>>>,
}

#[derive(Default)]
struct Route([OnceLock<Series>; METHODS.len() + 1]);

/// The metrics of a route and method: found once, then only counted up.
struct Series {
    durations: Histogram,
    requests: RwLock<Vec<(StatusCode, Counter)>>,
}

impl Http {
    /// Counts and times one answer.
    pub fn record(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let known = METHODS.iter().position(|known| known == method);
        let name = known.map_or("other", |index| METHODS[index].as_str());
        let entry = self.route(route);
        let series = entry.0[known.unwrap_or(METHODS.len())].get_or_init(|| Series {
            durations: self.durations.get_or_create_owned(&labels(name, route)),
            requests: RwLock::default(),
        });
        series.durations.observe(took.as_secs_f64());
        let requests = series
            .requests
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = requests.iter().find(|(known, _)| *known == status) {
            counter.inc();
            return;
        }
        drop(requests);
        let mut labels = labels(name, route);
        labels.push(("status", status.as_str().to_owned()));
        let counter = self.requests.get_or_create_owned(&labels);
        counter.inc();
        let mut requests = series
            .requests
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if requests.iter().all(|(known, _)| *known != status) {
            requests.push((status, counter));
        }
    }

    fn route(&self, route: &str) -> Arc<Route> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = routes.get(route) {
            return known.clone();
        }
        drop(routes);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.to_owned()).or_default().clone()
    }
}

fn labels(method: &str, route: &str) -> Labels {
    vec![("method", method.to_owned()), ("route", route.to_owned())]
}

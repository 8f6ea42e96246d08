//! Request rate, errors and durations.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use chassis::metrics::{Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Labels, register};
use chassis_telemetry::request::METHODS;

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

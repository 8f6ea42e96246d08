//! Request rate, errors and durations, as Prometheus reads them from `/metrics`.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: from a cached read to the request timeout.
const DURATION_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The process's metrics; the first call starts to record them.
pub fn registry() -> Result<&'static PrometheusHandle, crate::Error> {
    static REGISTRY: OnceLock<PrometheusHandle> = OnceLock::new();
    static FIRST: Mutex<()> = Mutex::new(());
    // Two at once would both install a recorder, and the second cannot.
    let _first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(registry) = REGISTRY.get() {
        return Ok(registry);
    }
    let registry = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)?
        .install_recorder()?;
    Ok(REGISTRY.get_or_init(|| registry))
}

/// Histograms grow until they are drained: does so for as long as it is polled.
pub async fn upkeep(registry: &PrometheusHandle) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        registry.run_upkeep();
    }
}

/// Middleware: counts and times each request, by route pattern so that paths with ids share a series.
pub async fn record(request: Request, next: Next) -> Response {
    let method = request.method().as_str().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let started = Instant::now();
    let _in_flight = InFlight::enter();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("http_request_duration_seconds", "method" => method.clone(), "route" => route.clone())
        .record(started.elapsed().as_secs_f64());
    metrics::counter!("http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
    response
}

/// Counts down also when the client goes away and the request's future is dropped.
struct InFlight;

impl InFlight {
    fn enter() -> Self {
        metrics::gauge!("http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("http_requests_in_flight").decrement(1.0);
    }
}

//! What is counted of the calls to other services.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::Response;
use bytes::Bytes;
use chassis::metrics::{Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Labels, register};

use crate::CallError;
use crate::circuit_breaker::State;
use crate::fallback::Stale;

static CALLS: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register(
        "outbound_calls",
        "Calls to other services, by how they ended",
        Family::default(),
    )
});

static ATTEMPTS: LazyLock<Family<Labels, Histogram>> = LazyLock::new(|| {
    register(
        "outbound_attempt_duration_seconds",
        "Attempts to call other services, retries included",
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
    )
});

static BREAKERS: LazyLock<Family<Labels, Gauge>> = LazyLock::new(|| {
    register(
        "outbound_breaker_state",
        "0 is closed, 1 is half open, 2 is open",
        Family::default(),
    )
});

pub fn call(dependency: &str, result: &Result<Response<Bytes>, CallError>) {
    let outcome = match result {
        Ok(answer) if answer.extensions().get::<Stale>().is_some() => "stale",
        Ok(_) => "ok",
        Err(CallError::TimedOut) => "timed_out",
        Err(CallError::Overloaded) => "overloaded",
        Err(CallError::CircuitOpen { .. }) => "circuit_open",
        Err(CallError::Unreachable(_)) => "unreachable",
        Err(CallError::Refused(status) | CallError::Said { status, .. })
            if status.is_client_error() =>
        {
            "refused"
        }
        Err(_) => "failed",
    };
    CALLS
        .get_or_create(&labels(dependency, ("outcome", outcome)))
        .inc();
}

pub fn attempt(dependency: &str, result: &str, took: Duration) {
    let labels = labels(dependency, ("result", result));
    ATTEMPTS.get_or_create(&labels).observe(took.as_secs_f64());
}

pub fn breaker(dependency: &str, state: State) {
    let value = match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    };
    let labels = vec![("dependency", dependency.to_owned())];
    BREAKERS.get_or_create(&labels).set(value);
}

fn labels(dependency: &str, (name, value): (&'static str, &str)) -> Labels {
    vec![
        ("dependency", dependency.to_owned()),
        (name, value.to_owned()),
    ]
}

//! Retry: another attempt, after a pause, where it can do no harm. A budget bounds all retries to a dependency by a
//! share of its requests, so that retries cannot turn a slow dependency into a dead one.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;
use tower::retry::Policy;
use tower::retry::budget::{Budget, TpsBudget};

use crate::CallError;

/// A caller that sends this asks the callee to do the work once, however often it hears of it.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// In a request's extensions: it changes nothing, though its method does not say so.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly;

/// When to try again. A clone accompanies each request; the budget is shared.
#[derive(Clone)]
pub struct RetryPolicy {
    pub retries: u32,
    /// The longest first pause; it doubles with each retry …
    pub backoff: Duration,
    /// … up to this.
    pub backoff_max: Duration,
    /// All attempts and pauses fit into this, or the last one is not made.
    pub total: Duration,
    pub budget: Arc<TpsBudget>,
    /// Retries made for this request, and when it began.
    pub made: u32,
    pub began: Option<Instant>,
}

impl RetryPolicy {
    /// Full jitter: any pause up to the longest one, so that callers spread out.
    fn pause(&self) -> Duration {
        longest_pause(self.backoff, self.backoff_max, self.made).mul_f64(fastrand::f64())
    }
}

/// The longest pause before the retry of this number, from 0.
pub fn longest_pause(backoff: Duration, max: Duration, number: u32) -> Duration {
    backoff.saturating_mul(1 << number.min(16)).min(max)
}

impl Policy<Request<Bytes>, Response<Bytes>, BoxError> for RetryPolicy {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Bytes>,
        result: &mut Result<Response<Bytes>, BoxError>,
    ) -> Option<Sleep> {
        if self.made == 0 {
            self.budget.deposit();
        }
        if self.made == self.retries || !is_repeatable(request) || !is_passing(result) {
            return None;
        }
        let wished = result.as_ref().ok().and_then(retry_after);
        let pause = wished.unwrap_or_default().max(self.pause());
        let elapsed = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if elapsed + pause >= self.total || !self.budget.withdraw() {
            return None;
        }
        self.made += 1;
        Some(sleep(pause))
    }

    fn clone_request(&mut self, request: &Request<Bytes>) -> Option<Request<Bytes>> {
        self.began.get_or_insert_with(Instant::now);
        Some(request.clone())
    }
}

/// Twice is as good as once: the request changes nothing, or says how the callee can tell.
fn is_repeatable(request: &Request<Bytes>) -> bool {
    if request.extensions().get::<ReadOnly>().is_some() {
        return true;
    }
    matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) || request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// The next attempt may well end differently.
fn is_passing(result: &Result<Response<Bytes>, BoxError>) -> bool {
    match result {
        Ok(response) => match response.status() {
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => true,
            StatusCode::SERVICE_UNAVAILABLE => true,
            StatusCode::TOO_MANY_REQUESTS => retry_after(response).is_some(),
            _ => false,
        },
        Err(error) => match error.downcast_ref() {
            Some(CallError::Unreachable(_) | CallError::Broken(_)) => true,
            Some(_) => false,
            None => error.is::<tower::timeout::error::Elapsed>(),
        },
    }
}

/// The pause that the callee asks for, when it says it in seconds.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

//! What REST and other protocols over HTTP do differently, for the layers that both have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::problem;
use chassis_telemetry::export::{Work, finished};
use chassis_telemetry::request::{RequestContext, X_REQUEST_ID, within};

use crate::{metrics, security_headers};

/// How one request and its answer are treated.
pub trait Protocol: Copy + Send + Sync + 'static {
    /// As the request's headers have it.
    fn of(headers: &HeaderMap) -> Self;

    /// How long the caller waits. `None` when it does not say.
    fn time_given(self, headers: &HeaderMap) -> Option<Duration>;

    /// A request's body whose limits are named in the protocol's words when they cut it off.
    fn name_limits(self, body: Body) -> Body;

    /// The answer as its caller gets it, which is recorded when it ends.
    fn complete(
        self,
        response: Response,
        request: &Arc<RequestContext>,
        began: Instant,
    ) -> Response;

    /// The caller went away before there was an answer.
    fn gone(self, request: &Arc<RequestContext>, began: Instant);
}

/// HTTP as it is.
#[derive(Clone, Copy, Default)]
pub struct Rest;

impl Protocol for Rest {
    fn of(_: &HeaderMap) -> Self {
        Self
    }

    fn time_given(self, _: &HeaderMap) -> Option<Duration> {
        None
    }

    fn name_limits(self, body: Body) -> Body {
        body
    }

    fn complete(
        self,
        mut response: Response,
        request: &Arc<RequestContext>,
        began: Instant,
    ) -> Response {
        if response.status().is_client_error() || response.status().is_server_error() {
            response = problem::complete(response, &request.id);
        }
        let headers = response.headers_mut();
        security_headers::add(headers);
        headers.insert(X_REQUEST_ID, request.id.clone());
        record(request, response.status(), began);
        response
    }

    fn gone(self, request: &Arc<RequestContext>, began: Instant) {
        // 499, as nginx has it.
        let gone = StatusCode::from_u16(499).unwrap_or_default();
        record(request, gone, began);
    }
}

fn record(request: &Arc<RequestContext>, status: StatusCode, began: Instant) {
    let took = began.elapsed();
    metrics::HTTP.record(request.route(), &request.method, status, took);
    finished(request.trace, took, || Work::Answer {
        request: request.clone(),
        status,
    });
    if tracing::enabled!(tracing::Level::INFO) {
        within(request, || {
            let latency_ms = took.as_micros() as f64 / 1000.0;
            tracing::info!(status = status.as_u16(), latency_ms, "request finished");
        });
    }
}

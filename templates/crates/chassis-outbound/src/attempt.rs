//! One attempt to call a service: it has its own place in the trace, and is timed.

use std::task::{Context, Poll};

use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use chassis_telemetry::export::{Work, finished};
use chassis_telemetry::trace_context::TraceContext;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::call_error::is_failure;
use crate::{CallFuture, metrics};

/// Around each attempt to call the service of this name.
#[derive(Clone)]
pub struct AttemptLayer(pub &'static str);

#[derive(Clone)]
pub struct Attempt<S> {
    inner: S,
    dependency: &'static str,
}

impl<S> Layer<S> for AttemptLayer {
    type Service = Attempt<S>;

    fn layer(&self, inner: S) -> Attempt<S> {
        Attempt {
            inner,
            dependency: self.0,
        }
    }
}

impl<S> Service<Request<Bytes>> for Attempt<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = CallFuture<Response<Bytes>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Bytes>) -> Self::Future {
        let trace = TraceContext::current().map(TraceContext::child);
        if let Some(trace) = trace {
            trace.inject(request.headers_mut());
        }
        let timed = Timed {
            dependency: self.dependency,
            trace,
            method: request.method().clone(),
            began: Instant::now(),
            result: "timed_out",
            outcome: Err("timeout"),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut timed = timed;
            let result = answer.await;
            timed.result = if is_failure(&result) { "failed" } else { "ok" };
            timed.outcome = result
                .as_ref()
                .map(Response::status)
                .map_err(|_| "connection");
            result
        })
    }
}

/// An attempt that is dropped has run out of time.
struct Timed {
    dependency: &'static str,
    /// `None` outside of a request.
    trace: Option<TraceContext>,
    method: Method,
    began: Instant,
    result: &'static str,
    outcome: Result<StatusCode, &'static str>,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        metrics::attempt(self.dependency, self.result, took);
        if let Some(trace) = self.trace {
            finished(trace, took, || Work::Call {
                dependency: self.dependency,
                method: self.method.clone(),
                outcome: self.outcome,
            });
        }
    }
}

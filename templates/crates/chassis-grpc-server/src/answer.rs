//! The end of a call. A gRPC answer says how it ended after its last message, so it is counted and logged then.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{StatusCode, header};
use axum::response::Response;
use chassis::metrics::{Counter, DURATION_BUCKETS, Family, Histogram, Labels, register};
use chassis::problem::Problem;
use chassis_grpc::{code, is_grpc};
use chassis_telemetry::export::{Work, finished};
use chassis_telemetry::request::{RequestContext, X_REQUEST_ID, within};
use http_body_util::{BodyExt, LengthLimitError};
use hyper::body::{Frame, SizeHint};
use tonic::{Code, Status};
use tower_http::timeout::TimeoutError;

static HANDLED: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register(
        "grpc_server_handled",
        "Calls answered, by how they ended",
        Family::default(),
    )
});

static DURATIONS: LazyLock<Family<Labels, Histogram>> = LazyLock::new(|| {
    register(
        "grpc_server_handling_seconds",
        "Time until a call has ended",
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
    )
});

/// A call's answer as its caller gets it: whatever a layer or the router said in HTTP's words is a status. It is recorded
/// when it ends.
pub fn complete(mut response: Response, request: &Arc<RequestContext>, began: Instant) -> Response {
    if !is_grpc(response.headers()) {
        response = refusal(response).into_http();
    }
    if response.extensions().get().is_some_and(is_too_long) {
        response = Status::resource_exhausted("the request is too long").into_http();
    }
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, request.id.clone());
    let call = Call {
        request: request.clone(),
        began,
        recorded: false,
    };
    match Status::from_header_map(headers) {
        Some(status) => {
            let mut call = call;
            call.record(status.code());
            response
        }
        None => response.map(|body| Body::new(Recorded { body, call })),
    }
}

/// The caller went away before there was an answer.
pub fn gone(request: &Arc<RequestContext>, began: Instant) {
    drop(Call {
        request: request.clone(),
        began,
        recorded: false,
    });
}

/// What tonic calls a message that is longer than it takes. To all others that is RESOURCE_EXHAUSTED.
fn is_too_long(status: &Status) -> bool {
    let message = "Error, decoded message length too large";
    status.code() == Code::OutOfRange && status.message().starts_with(message)
}

fn refusal(mut response: Response) -> Status {
    let challenge = response.headers_mut().remove(header::WWW_AUTHENTICATE);
    let problem = response.extensions_mut().remove::<Problem>();
    let mut status = match (problem, response.status()) {
        (Some(problem), _) => code::status(problem),
        // No route.
        (None, StatusCode::NOT_FOUND) => Status::unimplemented("there is no such method"),
        (None, status) => code::status(Problem::new(status)),
    };
    if let Some(challenge) = challenge.and_then(|value| value.to_str().ok()?.parse().ok()) {
        status.metadata_mut().insert("www-authenticate", challenge);
    }
    status
}

/// Says in gRPC's words why a body is cut off.
pub fn name_limits(body: Body) -> Body {
    Body::new(body.map_err(|error| {
        let error = error.into_inner();
        if error.is::<LengthLimitError>() {
            return Status::resource_exhausted("the request is too long").into();
        }
        if error.is::<TimeoutError>() {
            return Status::deadline_exceeded("the request did not come in time").into();
        }
        error
    }))
}

struct Call {
    request: Arc<RequestContext>,
    began: Instant,
    recorded: bool,
}

impl Call {
    fn record(&mut self, code: Code) {
        if std::mem::replace(&mut self.recorded, true) {
            return;
        }
        let took = self.began.elapsed();
        let (service, method) = self.request.grpc_method();
        let mut labels = vec![
            ("grpc_service", service.to_owned()),
            ("grpc_method", method.to_owned()),
        ];
        DURATIONS.get_or_create(&labels).observe(took.as_secs_f64());
        labels.push(("grpc_code", code::name(code).to_owned()));
        HANDLED.get_or_create(&labels).inc();
        finished(self.request.trace, took, || Work::Rpc {
            request: self.request.clone(),
            code: code as i32,
            status: code::http_status(code),
        });
        if tracing::enabled!(tracing::Level::INFO) {
            within(&self.request, || {
                let latency_ms = took.as_micros() as f64 / 1000.0;
                let grpc_status = code::name(code);
                tracing::info!(grpc_status, latency_ms, "request finished");
            });
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // The caller went away before the end.
        self.record(Code::Cancelled);
    }
}

struct Recorded {
    body: Body,
    call: Call,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let status = Status::from_header_map(trailers);
                    self.call
                        .record(status.map_or(Code::Unknown, |status| status.code()));
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.call.record(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

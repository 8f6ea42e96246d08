//! What stands between the network and a handler, outermost first. The order matters: refusals by an inner layer
//! still get a request id, a log line, a count and a problem body.

use std::any::Any;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router, middleware};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{
    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::{RequestBodyDeadlineLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

use crate::config::Server;
use crate::problem::{self, Problem};
use crate::trace_context::{self, TraceContext};
use crate::{metrics, security_headers};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids would bloat every log line of the request.
const MAX_REQUEST_ID: usize = 128;

/// Puts the layers around all routes of `app`, its 404 included. Routes added afterwards are not covered.
pub fn protect(app: Router, limits: &Server) -> Router {
    app.layer(
        ServiceBuilder::new()
            .map_request(refuse_request_id)
            .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid))
            .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
            .layer(SetSensitiveRequestHeadersLayer::new([
                header::AUTHORIZATION,
                header::PROXY_AUTHORIZATION,
                header::COOKIE,
            ]))
            .layer(middleware::from_fn(trace_context::attach))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(request_span)
                    .on_request(())
                    .on_response(log_response)
                    .on_body_chunk(())
                    .on_eos(())
                    .on_failure(()),
            )
            .layer(middleware::from_fn(metrics::record))
            .layer(middleware::from_fn(problem::complete))
            .map_response(security_headers::add)
            .layer(CatchPanicLayer::custom(after_panic))
            .layer(HandleErrorLayer::new(overloaded))
            // Shedding stands outside the limit, else requests would queue; the limit is global, because axum makes
            // the layers anew for each connection.
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(limits.max_in_flight))
            // Inside the limit, so that a request that ran out of time frees its slot.
            .layer(TimeoutLayer::with_status_code(
                StatusCode::GATEWAY_TIMEOUT,
                limits.request_timeout,
            ))
            .layer(RequestBodyDeadlineLayer::new(limits.body_timeout))
            .layer(RequestBodyLimitLayer::new(limits.body_limit_bytes))
            .layer(DefaultBodyLimit::max(limits.body_limit_bytes)),
    )
}

/// A caller may name the request, in reason; otherwise it gets a name.
fn refuse_request_id<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let reasonable = |id: &axum::http::HeaderValue| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if !request.headers().get(X_REQUEST_ID).is_none_or(reasonable) {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

/// All lines of a request carry these fields. At the highest level, so that no log level loses them.
fn request_span(request: &Request) -> Span {
    let extensions = request.extensions();
    let request_id = extensions
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok());
    let route = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let span = tracing::error_span!(
        "request",
        request_id,
        trace_id = tracing::field::Empty,
        span_id = tracing::field::Empty,
        method = request.method().as_str(),
        path = request.uri().path(),
        route,
    );
    if let Some(context) = extensions.get::<TraceContext>() {
        span.record("trace_id", format!("{:032x}", context.trace_id));
        span.record("span_id", format!("{:016x}", context.span_id));
    }
    span
}

fn log_response(response: &Response, latency: Duration, _: &Span) {
    let status = response.status().as_u16();
    let latency_ms = latency.as_secs_f64() * 1000.0;
    tracing::info!(status, latency_ms, "request finished");
}

/// The panic hook has logged it; the caller learns nothing of it.
fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

async fn overloaded(_: BoxError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE)
        .detail("too many requests in flight")
        .retry_after(1)
}

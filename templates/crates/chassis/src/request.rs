//! What is done for each request, around everything else: it gets an id and a place in a trace, its answer gets the
//! security headers, its failure becomes a problem, a panic becomes a failure, and it is counted, logged and traced.
//!
//! One layer does it all, because each layer of its own costs more than its work.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service};

#[cfg(feature = "grpc-server")]
use crate::grpc;
use crate::problem::{self, Problem};
use crate::trace_context::{self, TraceContext};
use crate::{metrics, otlp, security_headers};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids would bloat every log line of the request.
pub const MAX_REQUEST_ID: usize = 128;
/// A request that no route is for.
const UNMATCHED: &str = "unmatched";

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// What every log line of a request says, and what it hands on to the services that it calls.
#[derive(Debug)]
pub struct RequestContext {
    pub id: HeaderValue,
    pub trace: TraceContext,
    pub method: Method,
    pub uri: Uri,
    route: Option<MatchedPath>,
    /// It is a call by gRPC.
    #[cfg(feature = "grpc-server")]
    is_grpc: bool,
    /// When its caller stops to wait, if that is said.
    #[cfg(feature = "grpc-server")]
    pub deadline: Option<Instant>,
}

impl RequestContext {
    fn of(request: &Request) -> Self {
        Self {
            id: request_id(request.headers()),
            trace: TraceContext::of_request(request.headers()),
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            #[cfg(feature = "grpc-server")]
            is_grpc: grpc::is_grpc(request.headers()),
            #[cfg(feature = "grpc-server")]
            deadline: grpc::deadline::given(request.headers())
                .and_then(|time| Instant::now().checked_add(time)),
        }
    }

    /// The pattern of the route, so that paths with ids are one.
    pub fn route(&self) -> &str {
        self.matched_route().unwrap_or(UNMATCHED)
    }

    pub fn matched_route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedPath::as_str)
    }

    /// Full names of the service and of its method.
    #[cfg(feature = "grpc-server")]
    pub fn grpc_method(&self) -> (&str, &str) {
        let route = self.route();
        let path = route.strip_prefix('/').unwrap_or(route);
        path.rsplit_once('/').unwrap_or((path, path))
    }
}

/// Looks at the request that is being answered here. A spawned task is part of no request.
pub fn with_current<T>(look: impl FnOnce(&RequestContext) -> T) -> Option<T> {
    CURRENT.try_with(|context| look(context)).ok()
}

/// Runs `work` as part of a request.
pub(crate) fn within<T>(request: &Arc<RequestContext>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(request.clone(), work)
}

/// A caller may name the request, in reason; otherwise it gets a name.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let reasonable = |id: &&HeaderValue| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if let Some(given) = headers.get(X_REQUEST_ID).filter(reasonable) {
        return given.clone();
    }
    let id = trace_context::hex(trace_context::long_random());
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("unnamed"))
}

#[derive(Clone, Copy)]
pub struct RequestLayer;

impl<S> Layer<S> for RequestLayer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner }
    }
}

#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let context = Arc::new(RequestContext::of(&request));
        for name in [
            header::AUTHORIZATION,
            header::PROXY_AUTHORIZATION,
            header::COOKIE,
        ] {
            if let Some(value) = request.headers_mut().get_mut(name) {
                value.set_sensitive(true);
            }
        }
        metrics::HTTP.in_flight.inc();
        Answering {
            answer: CURRENT.scope(context.clone(), self.inner.call(request)),
            context,
            began: Instant::now(),
            finished: false,
        }
    }
}

pin_project! {
    pub struct Answering<F> {
        #[pin]
        answer: TaskLocalFuture<Arc<RequestContext>, F>,
        context: Arc<RequestContext>,
        began: Instant,
        finished: bool,
    }

    impl<F> PinnedDrop for Answering<F> {
        fn drop(this: Pin<&mut Self>) {
            metrics::HTTP.in_flight.dec();
            if !this.finished {
                #[cfg(feature = "grpc-server")]
                if this.context.is_grpc {
                    return grpc::answer::gone(&this.context, this.began);
                }
                // 499, as nginx has it: the caller went away before there was an answer.
                let gone = StatusCode::from_u16(499).unwrap_or_default();
                record(&this.context, gone, this.began);
            }
        }
    }
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.answer.poll(context)));
        let mut response = match polled {
            Ok(polled) => ready!(polled)?,
            Err(panic) => after_panic(&panic),
        };
        *this.finished = true;
        #[cfg(feature = "grpc-server")]
        if this.context.is_grpc {
            let answer = grpc::answer::complete(response, this.context, *this.began);
            return Poll::Ready(Ok(answer));
        }
        if response.status().is_client_error() || response.status().is_server_error() {
            response = problem::complete(response, &this.context.id);
        }
        let headers = response.headers_mut();
        security_headers::add(headers);
        headers.insert(X_REQUEST_ID, this.context.id.clone());
        record(this.context, response.status(), *this.began);
        Poll::Ready(Ok(response))
    }
}

/// The panic hook has logged it; the caller learns nothing of it.
fn after_panic(_: &(dyn Any + Send)) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

fn record(request: &Arc<RequestContext>, status: StatusCode, began: Instant) {
    let took = began.elapsed();
    metrics::HTTP.record(request.route(), &request.method, status, took);
    otlp::answered(request, status, took);
    if tracing::enabled!(tracing::Level::INFO) {
        within(request, || {
            let latency_ms = took.as_micros() as f64 / 1000.0;
            tracing::info!(status = status.as_u16(), latency_ms, "request finished");
        });
    }
}

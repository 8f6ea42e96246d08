//! The request that is being answered: what every log line of it says, and what it hands on to the services that it calls.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::task::futures::TaskLocalFuture;

use crate::trace_context::{self, TraceContext};

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
    /// When its caller stops to wait, if that is said.
    pub deadline: Option<Instant>,
}

impl RequestContext {
    /// `deadline` is when the caller stops to wait.
    pub fn of(request: &Request, deadline: Option<Instant>) -> Self {
        Self {
            id: request_id(request.headers()),
            trace: TraceContext::of_request(request.headers()),
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            deadline,
        }
    }

    /// The pattern of the route, so that paths with ids are one.
    pub fn route(&self) -> &str {
        self.matched_route().unwrap_or(UNMATCHED)
    }

    pub fn matched_route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedPath::as_str)
    }

    /// Of a call by gRPC: full names of the service and of its method.
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

/// Answers as part of a request.
pub fn answering<F: Future>(
    request: &Arc<RequestContext>,
    answer: F,
) -> TaskLocalFuture<Arc<RequestContext>, F> {
    CURRENT.scope(request.clone(), answer)
}

/// Runs `work` as part of a request.
pub fn within<T>(request: &Arc<RequestContext>, work: impl FnOnce() -> T) -> T {
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

//! Who gets in, and for how long: the rate limit, then the bulkhead, then the limits on the body; inside, the request's
//! deadline. Refusals come at once, so that the requests inside keep their pace.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::config::Server;
use chassis::networks::Networks;
use chassis::problem::Problem;
use http_body_util::Limited;
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};
use tower_http::timeout::DeadlineBody;

use crate::client_address::Client;
use crate::protocol::Protocol;
use crate::rate_limit::RateLimit;

/// One set of limits for all connections: axum makes the services anew for each, from the same layer.
#[derive(Clone)]
pub struct AdmissionLayer<P> {
    admission: Arc<Admission>,
    protocol: PhantomData<P>,
}

struct Admission {
    rate: Option<RateLimit>,
    trusted_proxies: Networks,
    /// The bulkhead: so many requests at once, and no queue.
    places: Arc<Semaphore>,
    timeout: Duration,
    body_limit: usize,
    body_timeout: Duration,
}

impl<P> AdmissionLayer<P> {
    pub fn new(limits: &Server) -> Self {
        let admission = Arc::new(Admission {
            rate: RateLimit::new(&limits.rate_limit),
            trusted_proxies: limits.trusted_proxies.clone(),
            places: Arc::new(Semaphore::new(limits.max_in_flight)),
            timeout: limits.request_timeout,
            body_limit: limits.body_limit_bytes,
            body_timeout: limits.body_timeout,
        });
        let protocol = PhantomData;
        Self {
            admission,
            protocol,
        }
    }
}

impl Admission {
    fn admit(
        &self,
        protocol: impl Protocol,
        request: Request,
    ) -> Result<(Request, OwnedSemaphorePermit), Problem> {
        if let Some(rate) = &self.rate {
            rate.admit(Client::of(&request, &self.trusted_proxies))?;
        }
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                .detail("too many requests in flight")
                .retry_after(1)
        })?;
        Ok((self.limit_body(protocol, request)?, place))
    }

    /// No longer than its caller waits.
    fn time_for(&self, protocol: impl Protocol, request: &Request) -> Duration {
        let given = protocol.time_given(request.headers());
        given.map_or(self.timeout, |given| given.min(self.timeout))
    }

    /// A body that says that it is too long is refused before it is read. One that turns out to be is cut off, and the
    /// extractor that reads it refuses the request.
    fn limit_body(&self, protocol: impl Protocol, request: Request) -> Result<Request, Problem> {
        if request.body().is_end_stream() {
            return Ok(request);
        }
        let told = request.headers().get(header::CONTENT_LENGTH);
        let told = told.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if told.is_some_and(|length| length > self.body_limit) {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let mut request = request.map(|body| {
            let limited = Limited::new(body, self.body_limit);
            protocol.name_limits(Body::new(DeadlineBody::new(self.body_timeout, limited)))
        });
        // The extractors' own limit would be a second one.
        DefaultBodyLimit::disable().apply(&mut request);
        Ok(request)
    }
}

impl<S, P> Layer<S> for AdmissionLayer<P> {
    type Service = Guarded<S, P>;

    fn layer(&self, inner: S) -> Guarded<S, P> {
        Guarded {
            inner,
            admission: self.admission.clone(),
            protocol: PhantomData,
        }
    }
}

#[derive(Clone)]
pub struct Guarded<S, P> {
    inner: S,
    admission: Arc<Admission>,
    protocol: PhantomData<P>,
}

impl<S, P: Protocol> Service<Request> for Guarded<S, P>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let protocol = P::of(request.headers());
        match self.admission.admit(protocol, request) {
            Ok((request, place)) => Admitted::Inside {
                deadline: sleep(self.admission.time_for(protocol, &request)),
                answer: self.inner.call(request),
                _place: place,
            },
            Err(problem) => Admitted::Refused {
                problem: Some(problem),
            },
        }
    }
}

pin_project! {
    #[project = AdmittedProjection]
    pub enum Admitted<F> {
        Inside {
            #[pin]
            answer: F,
            #[pin]
            deadline: Sleep,
            _place: OwnedSemaphorePermit,
        },
        Refused {
            problem: Option<Problem>,
        },
    }
}

impl<F> Future for Admitted<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let problem = match self.project() {
            AdmittedProjection::Inside {
                answer, deadline, ..
            } => {
                // The answer first: most need no timer at all.
                if let Poll::Ready(answer) = answer.poll(context) {
                    return Poll::Ready(answer);
                }
                if deadline.poll(context).is_pending() {
                    return Poll::Pending;
                }
                Problem::new(StatusCode::GATEWAY_TIMEOUT)
            }
            AdmittedProjection::Refused { problem } => problem
                .take()
                .unwrap_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE)),
        };
        Poll::Ready(Ok(problem.into_response()))
    }
}

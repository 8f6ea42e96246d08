//! Calls by gRPC to other services, through the stack of [`chassis_outbound`].
//!
//! [`Channel`] is what a client that tonic makes of a `.proto` file speaks through. It is for calls with one request and one
//! answer: both are held whole, so that a call can be repeated and its answer kept.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::{Request, Response, header};
use bytes::Bytes;
use chassis::config::ConfigError;
use chassis::stream::Connect;
use chassis_discovery::Discovery;
use chassis_grpc::code;
pub use chassis_grpc::deadline;
use chassis_outbound::balancer::{Trailers, Transport};
use chassis_outbound::fallback::Stale;
use chassis_outbound::retry::ReadOnly;
use chassis_outbound::{Answer, CallError, CallFuture, Dependency, Outbound, Words};
use chassis_telemetry::request::with_current;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioTimer;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{BoxError, Service, ServiceExt};

/// A connection that many calls share is asked so often whether its other end is still there: each of them would wait in
/// vain, for as long as TCP hopes.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A question: it may be asked twice, and a copy of an earlier answer is better than none.
pub fn read_only<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(ReadOnly);
    request
}

/// What a call by tonic's client ended with, in the words of this crate.
pub fn answer<T>(called: Result<tonic::Response<T>, Status>) -> Result<Answer<T>, CallError> {
    match called {
        Ok(response) => {
            let stale = response.extensions().get().map(|Stale(age)| *age);
            let value = response.into_inner();
            Ok(Answer { value, stale })
        }
        Err(status) => {
            let failed = std::error::Error::source(&status);
            let failed = failed.and_then(|source| source.downcast_ref::<Failed>());
            let known = failed.and_then(Failed::take);
            Err(known.unwrap_or_else(|| said(status)))
        }
    }
}

/// A called service, for a client that tonic makes. Clones share everything.
#[derive(Clone)]
pub struct Channel(Dependency);

impl Channel {
    /// To one service, over plain HTTP/2 with prior knowledge. Needs a tokio runtime; the service itself need not be there
    /// yet.
    pub fn new(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
    ) -> Result<Self, ConfigError> {
        let balancer = http2(limits, discovery).balance(name, discovery)?;
        Ok(Self::over(name, limits, balancer))
    }

    /// Likewise, over TLS unless its URL says otherwise. The connector is one for gRPC.
    pub fn over_tls(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
        tls: impl Connect + 'static,
    ) -> Result<Self, ConfigError> {
        let transport = http2(limits, discovery);
        let balancer = transport.balance_over_tls(name, discovery, tls)?;
        Ok(Self::over(name, limits, balancer))
    }

    /// Over something else than the network that speaks gRPC, for tests.
    pub fn over<S>(name: &'static str, limits: &Outbound, transport: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let spoken = Spoken {
            inner: transport,
            attempt_timeout: limits.attempt_timeout,
        };
        Self(Dependency::over(name, limits, spoken))
    }

    /// Sends the bearer token that a file holds. It is read for each call, because platforms renew it.
    pub fn with_token_file(self, file: Option<&Path>) -> Self {
        Self(self.0.with_token_file(file))
    }
}

/// One connection to each address, with many calls on it at once.
fn http2(limits: &Outbound, discovery: &Discovery) -> Transport {
    let mut transport = Transport::new(limits, discovery);
    transport
        .client
        .timer(TokioTimer::new())
        .http2_only(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .http2_keep_alive_while_idle(true);
    transport
}

/// What a service says of its refusal.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", code::name(.0.code()), .0.message())]
pub struct Refusal(pub Status);

fn words(status: Status) -> Words {
    Words(Arc::new(Refusal(status)))
}

fn said(status: Status) -> CallError {
    CallError::Said {
        status: code::http_status(status.code()),
        words: words(status),
    }
}

/// Why there is no answer, on its way through tonic's client, which knows statuses only.
#[derive(Debug, thiserror::Error)]
#[error("the call failed")]
pub struct Failed(Mutex<Option<CallError>>);

impl Failed {
    fn take(&self) -> Option<CallError> {
        let mut error = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        error.take()
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self(Mutex::new(Some(error)))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let dependency = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let broken = |status: Status| CallError::Broken(status.into());
            let body = body.collect().await.map_err(broken)?.to_bytes();
            let answer = dependency.send(Request::from_parts(parts, body)).await?;
            let (mut parts, body) = answer.into_parts();
            let trailers = parts.extensions.remove::<Trailers>();
            let trailers = trailers.map(|Trailers(trailers)| Ok(trailers));
            let body = Full::new(body).with_trailers(std::future::ready(trailers));
            Ok(Response::from_parts(parts, Body::new(body)))
        })
    }
}

/// A service of tonic in this process instead of the network, for tests.
pub fn in_process<S>(
    service: S,
) -> impl Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    tower::service_fn(move |request: Request<Bytes>| {
        let service = service.clone();
        async move {
            let request = request.map(|body| Body::new(Full::new(body)));
            let (mut parts, body) = service.oneshot(request).await?.into_parts();
            let body = body.collect().await?;
            if let Some(trailers) = body.trailers() {
                parts.extensions.insert(Trailers(trailers.clone()));
            }
            Ok::<_, BoxError>(Response::from_parts(parts, body.to_bytes()))
        }
    })
}

/// Speaks gRPC through `inner`, and says how a call ended as HTTP would, so that the stack understands it.
#[derive(Clone)]
struct Spoken<S> {
    inner: S,
    attempt_timeout: Duration,
}

impl<S> Service<Request<Bytes>> for Spoken<S>
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
        let time = time_left().map_or(self.attempt_timeout, |left| left.min(self.attempt_timeout));
        deadline::give(request.headers_mut(), time);
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(in_http_words(answer.await?)) })
    }
}

/// What the caller of the request that is being answered still waits.
fn time_left() -> Option<Duration> {
    with_current(|request| request.deadline)
        .flatten()
        .map(|until| until.saturating_duration_since(Instant::now()))
}

fn in_http_words(mut response: Response<Bytes>) -> Response<Bytes> {
    if !response.status().is_success() {
        // Somebody in between has answered.
        return response;
    }
    let trailers = response.extensions().get::<Trailers>();
    let said = trailers.and_then(|Trailers(trailers)| Status::from_header_map(trailers));
    let status = said.or_else(|| Status::from_header_map(response.headers()));
    let status = status.unwrap_or_else(|| Status::unknown("the answer does not say how it ended"));
    if status.code() != Code::Ok {
        *response.status_mut() = code::http_status(status.code());
        let pause = status.metadata().get(code::RETRY_PUSHBACK);
        let pause = pause.and_then(|pause| pause.to_str().ok()?.parse::<u64>().ok());
        if let Some(millis) = pause {
            let seconds = millis.div_ceil(1000).into();
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response.extensions_mut().insert(words(status));
    }
    response
}

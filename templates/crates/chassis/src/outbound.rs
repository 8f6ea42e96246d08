//! Calls to other services, through one stack for each of them. Outermost first:
//!
//! 1. [`fallback`](crate::fallback): the last good answer when there is no new one;
//! 2. total timeout;
//! 3. bulkhead: so many calls at once and no queue, so that one slow dependency cannot take every caller with it;
//! 4. [`retry`](crate::retry), inside a budget;
//! 5. [`circuit_breaker`](crate::circuit_breaker), which sees every attempt;
//! 6. attempt timeout, inside the breaker so that it counts as a failure;
//! 7. metrics and trace context for each attempt;
//! 8. [`balancer`](crate::balancer) over the addresses that [`discovery`](crate::discovery) finds.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::retry::RetryLayer;
use tower::retry::budget::TpsBudget;
use tower::timeout::TimeoutLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use crate::balancer::{Balancer, Transport};
use crate::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, State, Thresholds};
use crate::config::{ConfigError, invalid};
use crate::discovery::{Discovery, Origin, Origins};
use crate::fallback::{FallbackLayer, Stale};
#[cfg(feature = "grpc-client")]
use crate::grpc;
use crate::problem::Problem;
use crate::retry::RetryPolicy;
use attempt::AttemptLayer;

mod attempt;
mod limits;
mod metrics;

pub use limits::Outbound;

/// What a layer of the stack returns.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no answer in time")]
    TimedOut,
    #[error("too many calls in flight")]
    Overloaded,
    #[error("left alone for {retry_in:?} after too many failures")]
    CircuitOpen { retry_in: Duration },
    #[error("cannot be reached")]
    Unreachable(#[source] BoxError),
    #[error("the connection failed")]
    Broken(#[source] BoxError),
    #[error("the answer is larger than `response_limit_bytes`")]
    TooLarge,
    #[error("answered {0}")]
    Refused(StatusCode),
    /// The called service's own words.
    #[cfg(feature = "grpc-client")]
    #[error("answered {}: {}", grpc::code::name(.0.code()), .0.message())]
    Status(Box<tonic::Status>),
    #[error("the answer is not what was expected")]
    Unreadable(#[source] serde_json::Error),
    #[error("the token cannot be read")]
    Token(#[source] std::io::Error),
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    pub value: T,
    /// Set when it is a copy, this old, because there is no new answer.
    pub stale: Option<Duration>,
}

/// A service that this one calls. Clones share everything.
#[derive(Clone)]
pub struct Dependency {
    name: &'static str,
    stack: BoxCloneSyncService<Request<Bytes>, Response<Bytes>, BoxError>,
    token_file: Option<Arc<Path>>,
}

impl<T> Answer<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: f(self.value),
            stale: self.stale,
        }
    }
}

impl Dependency {
    /// The stack for one service, over plain HTTP. Needs a tokio runtime; the service itself need not be there yet.
    pub fn new(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
    ) -> Result<Self, ConfigError> {
        let origins = discovery.origins(name, &Scheme::HTTP)?;
        refuse_secure(name, &origins, "`Dependency::over_tls` speaks TLS")?;
        let balancer = Balancer::new(name, origins, transport(limits, discovery));
        Ok(Self::over(name, limits, balancer))
    }

    /// The stack for one service, over TLS unless its URL says otherwise. It must show a certificate for the host of that
    /// URL.
    #[cfg(feature = "client-tls")]
    pub fn over_tls(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
        tls: &crate::tls::client::Connector,
    ) -> Result<Self, ConfigError> {
        let origins = discovery.origins(name, &Scheme::HTTPS)?;
        let balancer = Balancer::over_tls(name, origins, transport(limits, discovery), tls);
        Ok(Self::over(name, limits, balancer))
    }

    /// The stack for one service that speaks gRPC, with prior knowledge. A [`Channel`](grpc::client::Channel) calls it.
    #[cfg(feature = "grpc-client")]
    pub fn grpc(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
    ) -> Result<Self, ConfigError> {
        let origins = discovery.origins(name, &Scheme::HTTP)?;
        refuse_secure(name, &origins, "`Dependency::grpc_over_tls` speaks TLS")?;
        let transport = transport(limits, discovery).over_http2();
        Ok(Self::over_grpc(
            name,
            limits,
            Balancer::new(name, origins, transport),
        ))
    }

    /// Likewise, over TLS unless its URL says otherwise. The connector is one for gRPC.
    #[cfg(all(feature = "grpc-client", feature = "client-tls"))]
    pub fn grpc_over_tls(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
        tls: &crate::tls::client::Connector,
    ) -> Result<Self, ConfigError> {
        let origins = discovery.origins(name, &Scheme::HTTPS)?;
        let transport = transport(limits, discovery).over_http2();
        let balancer = Balancer::over_tls(name, origins, transport, tls);
        Ok(Self::over_grpc(name, limits, balancer))
    }

    /// The stack over something else than the network that speaks gRPC, for tests.
    #[cfg(feature = "grpc-client")]
    pub fn over_grpc<S>(name: &'static str, limits: &Outbound, transport: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let spoken = grpc::client::Spoken {
            inner: transport,
            attempt_timeout: limits.attempt_timeout,
        };
        Self::over(name, limits, spoken)
    }

    /// The stack over something else than the network, for tests.
    pub fn over<S>(name: &'static str, limits: &Outbound, transport: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let thresholds = Thresholds {
            failure_ratio: f64::from(limits.breaker_failure_percent) / 100.0,
            min_calls: limits.breaker_min_calls,
            window: limits.breaker_window,
            open: limits.breaker_open,
            open_max: limits.breaker_open_max,
            probes: limits.breaker_probes,
        };
        let budget = TpsBudget::new(
            limits.retry_budget_window,
            limits.retry_budget_per_second,
            limits.retry_budget_percent as f32 / 100.0,
        );
        let retry = RetryPolicy {
            retries: limits.retries,
            backoff: limits.backoff,
            backoff_max: limits.backoff_max,
            total: limits.total_timeout,
            budget: Arc::new(budget),
            made: 0,
            began: None,
        };
        metrics::breaker(name, State::Closed);
        let stack = ServiceBuilder::new()
            .layer(FallbackLayer::new(limits.stale, limits.stale_entries))
            .layer(TimeoutLayer::new(limits.total_timeout))
            // Shedding stands outside the limit, else calls would queue.
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(limits.max_in_flight))
            .layer(RetryLayer::new(retry))
            .layer(CircuitBreakerLayer {
                breaker: CircuitBreaker::new(thresholds, move |state| report(name, state)),
                is_failure,
            })
            .layer(TimeoutLayer::new(limits.attempt_timeout))
            .layer(AttemptLayer(name))
            .service(transport);
        Self {
            name,
            stack: BoxCloneSyncService::new(stack),
            token_file: None,
        }
    }

    /// Sends the bearer token that a file holds. It is read for each call, because platforms renew it.
    pub fn with_token_file(self, file: Option<&Path>) -> Self {
        let token_file = file.map(Into::into);
        Self { token_file, ..self }
    }

    /// Asks for what is at a path, as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, CallError> {
        let request = Request::get(path).body(Bytes::new());
        let request = request.map_err(|error| CallError::Broken(error.into()))?;
        let answer = self.send(request).await?;
        let stale = answer.extensions().get().map(|Stale(age)| *age);
        let value = serde_json::from_slice(answer.body()).map_err(CallError::Unreadable)?;
        Ok(Answer { value, stale })
    }

    /// Sends a value to a path and reads the answer, both as JSON. One attempt: for more, [`send`](Self::send) a request
    /// with an idempotency key.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(CallError::Unreadable)?;
        let json = HeaderValue::from_static("application/json");
        let request = Request::post(path).header(header::CONTENT_TYPE, json);
        let request = request.body(body.into());
        let request = request.map_err(|error| CallError::Broken(error.into()))?;
        let answer = self.send(request).await?;
        serde_json::from_slice(answer.body()).map_err(CallError::Unreadable)
    }

    /// Sends a request whose URI is a path. It is repeated only when that is safe: see [`crate::retry`].
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        if let Some(file) = &self.token_file {
            let token = tokio::fs::read_to_string(file)
                .await
                .map_err(CallError::Token)?;
            let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
            let mut value = value.map_err(|error| CallError::Broken(error.into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let result = self.stack.clone().oneshot(request).await;
        let result = result
            .map_err(call_error)
            .and_then(|answer| match answer.status() {
                status if status.is_success() => Ok(answer),
                _ => Err(refused(answer)),
            });
        let dependency = self.name;
        metrics::call(dependency, &result);
        match &result {
            Ok(answer) => {
                if let Some(Stale(age)) = answer.extensions().get() {
                    tracing::warn!(
                        dependency,
                        age_ms = age.as_millis() as u64,
                        "answered from a copy"
                    );
                }
            }
            Err(error) => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(dependency, error, "a call failed");
            }
        }
        result
    }
}

/// In the called service's own words, where it has any.
#[cfg_attr(not(feature = "grpc-client"), expect(unused_mut))]
fn refused(mut answer: Response<Bytes>) -> CallError {
    #[cfg(feature = "grpc-client")]
    if let Some(status) = answer.extensions_mut().remove::<tonic::Status>() {
        return CallError::Status(Box::new(status));
    }
    CallError::Refused(answer.status())
}

fn transport(limits: &Outbound, discovery: &Discovery) -> Transport {
    Transport {
        connect_timeout: limits.connect_timeout,
        response_limit: limits.response_limit_bytes,
        refresh: discovery.refresh,
        avoid: discovery.avoid,
        #[cfg(feature = "grpc-client")]
        http2: false,
    }
}

fn refuse_secure(name: &str, origins: &Origins, help: &str) -> Result<(), ConfigError> {
    if !origins.known().iter().any(Origin::is_secure) {
        return Ok(());
    }
    let problem =
        format!("has an https:// URL for `{name}`, which is called over plain HTTP: {help}");
    Err(invalid("discovery.addresses", problem))
}

/// What counts against a dependency: it is not there, too slow or broken. A refusal of this very request is none.
fn is_failure(result: &Result<Response<Bytes>, BoxError>) -> bool {
    result
        .as_ref()
        .map_or(true, |answer| answer.status().is_server_error())
}

fn report(dependency: &'static str, state: State) {
    tracing::warn!(dependency, ?state, "circuit breaker");
    metrics::breaker(dependency, state);
}

/// The layers' own errors in this crate's words.
fn call_error(error: BoxError) -> CallError {
    if error.is::<tower::timeout::error::Elapsed>() {
        return CallError::TimedOut;
    }
    if error.is::<tower::load_shed::error::Overloaded>() {
        return CallError::Overloaded;
    }
    error
        .downcast()
        .map_or_else(CallError::Broken, |error| *error)
}

/// A caller learns that a dependency is missing, not which or why: that is in the log.
impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TimedOut => Self::new(StatusCode::GATEWAY_TIMEOUT),
            CallError::CircuitOpen { retry_in } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(seconds(retry_in))
            }
            CallError::Overloaded | CallError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(1)
            }
            CallError::Broken(_)
            | CallError::TooLarge
            | CallError::Refused(_)
            | CallError::Unreadable(_)
            | CallError::Token(_) => Self::new(StatusCode::BAD_GATEWAY),
            #[cfg(feature = "grpc-client")]
            CallError::Status(_) => Self::new(StatusCode::BAD_GATEWAY),
        }
    }
}

/// Rounded up.
fn seconds(duration: Duration) -> u32 {
    duration
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u32::MAX)
}

//! A service that this one calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request, Response, header};
use bytes::Bytes;
use chassis::config::ConfigError;
use chassis::stream::Connect;
use chassis_discovery::Discovery;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::retry::RetryLayer;
use tower::retry::budget::TpsBudget;
use tower::timeout::TimeoutLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use crate::attempt::AttemptLayer;
use crate::balancer::Transport;
use crate::call_error::{CallError, call_error, is_failure};
use crate::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, State, Thresholds};
use crate::fallback::{FallbackLayer, Stale};
use crate::limits::Outbound;
use crate::metrics;
use crate::retry::RetryPolicy;

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
        let balancer = Transport::new(limits, discovery).balance(name, discovery)?;
        Ok(Self::over(name, limits, balancer))
    }

    /// The stack for one service, over TLS unless its URL says otherwise. It must show a certificate for the host of that
    /// URL.
    pub fn over_tls(
        name: &'static str,
        limits: &Outbound,
        discovery: &Discovery,
        tls: impl Connect + 'static,
    ) -> Result<Self, ConfigError> {
        let transport = Transport::new(limits, discovery);
        let balancer = transport.balance_over_tls(name, discovery, tls)?;
        Ok(Self::over(name, limits, balancer))
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
                _ => Err(CallError::refused(answer)),
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

fn report(dependency: &'static str, state: State) {
    tracing::warn!(dependency, ?state, "circuit breaker");
    metrics::breaker(dependency, state);
}

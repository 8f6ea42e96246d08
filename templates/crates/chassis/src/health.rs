//! Probes, on a port apart from traffic so that overload cannot fail them.
//!
//! `/livez` touches nothing: a restart heals no dependency. `/readyz` is false while a dependency fails and from the
//! moment the service is told to stop. `/startupz` is true once the service has what it needs and listens.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::config::Admin;
use crate::{Error, metrics};

/// How a readiness check ends.
pub type Outcome = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What the probes answer. Clones share it.
#[derive(Clone, Default)]
pub struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Set once the service has started.
    checks: OnceLock<Checks>,
    draining: watch::Sender<bool>,
}

/// Collects readiness checks.
pub struct Checks {
    timeout: Duration,
    all: Vec<Check>,
}

/// Why a service is not ready.
#[derive(Debug)]
pub enum NotReady {
    Starting,
    Draining,
    /// A check failed.
    Missing {
        dependency: &'static str,
        error: String,
    },
}

type Check = (&'static str, Box<dyn Fn() -> Outcome + Send + Sync>);

impl Checks {
    /// None yet.
    pub fn new(admin: &Admin) -> Self {
        Self {
            timeout: admin.check_timeout,
            all: Vec::new(),
        }
    }

    /// Adds a dependency without which this service can answer nothing.
    pub fn add(
        mut self,
        dependency: &'static str,
        check: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> Self {
        self.all.push((dependency, Box::new(check)));
        self
    }
}

impl Health {
    /// The service listens, and is ready while these checks succeed.
    pub fn set_started(&self, checks: Checks) {
        _ = self.0.checks.set(checks);
        self.0.draining.send_modify(|_| {});
    }

    /// The service stops: no new traffic, please.
    pub fn set_draining(&self) {
        self.0.draining.send_replace(true);
    }

    /// Changes when the service has started, and when it stops.
    pub fn phase(&self) -> watch::Receiver<bool> {
        self.0.draining.subscribe()
    }

    /// Whether the service is ready; else what callers may know of why not.
    pub async fn readiness(&self) -> Result<(), NotReady> {
        if *self.0.draining.borrow() {
            return Err(NotReady::Draining);
        }
        let Some(Checks { timeout, all }) = self.0.checks.get() else {
            return Err(NotReady::Starting);
        };
        for (dependency, check) in all {
            let error = match tokio::time::timeout(*timeout, check()).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} ms", timeout.as_millis()),
            };
            return Err(NotReady::Missing { dependency, error });
        }
        Ok(())
    }

    /// Whether all checks succeed; or why the service is not ready, for whoever asks from outside.
    pub async fn ready(&self) -> Result<(), String> {
        match self.readiness().await {
            Ok(()) => Ok(()),
            Err(NotReady::Draining) => Err("draining".to_owned()),
            Err(NotReady::Starting) => Err("starting".to_owned()),
            Err(NotReady::Missing { dependency, error }) => {
                tracing::warn!(dependency, error, "not ready");
                Err(format!("{dependency} is not available"))
            }
        }
    }

    /// The admin port's routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/livez", get(async || "live"))
            .route("/readyz", get(ready))
            .route("/startupz", get(started))
            .route("/metrics", get(render_metrics))
            .with_state(self.clone())
    }
}

async fn started(State(health): State<Health>) -> (StatusCode, &'static str) {
    match health.0.checks.get() {
        Some(_) => (StatusCode::OK, "started"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.ready().await {
        Ok(()) => (StatusCode::OK, "ready".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn render_metrics() -> Result<impl IntoResponse, StatusCode> {
    let (media_type, text) = metrics::render().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, media_type)], text))
}

/// Asks the service that runs here whether it is ready: the container's health check, where there is no curl.
pub async fn probe(admin: &Admin) -> Result<(), Error> {
    let mut address = admin.address();
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let answer = tokio::time::timeout(Duration::from_secs(2) + admin.check_timeout, async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    })
    .await
    .map_err(|_| format!("{address} does not answer"))?
    .map_err(|error| format!("{address} cannot be asked: {error}"))?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let body = answer.rsplit("\r\n").next().unwrap_or_default();
    Err(format!("not ready: {body}").into())
}

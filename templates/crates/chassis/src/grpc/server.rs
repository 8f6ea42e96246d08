//! A port that speaks gRPC, with the services that every such port has: health and reflection.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::IntoResponse;
use prost::Message;
use prost_types::FileDescriptorSet;
use serde::Deserialize;
use tokio::time::{sleep, timeout};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tower::{Service, ServiceExt};

#[cfg(feature = "registry")]
use crate::Identity;
use crate::config::{Admin, ConfigError, Server, invalid, millis};
use crate::health::{Checks, Health};
#[cfg(feature = "registry")]
use crate::registry::Registration;
use crate::request::RequestLayer;
use crate::serve;
#[cfg(feature = "server-tls")]
use crate::tls::server::ServerTls;
use crate::{Error, shutdown};

/// How often readiness is looked at, for those who watch it by gRPC.
const LOOK: Duration = Duration::from_secs(1);

/// Connections of the traffic port: `[http2]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http2 {
    /// Calls at once on one connection; the caller waits with those beyond.
    pub max_streams: u32,
    /// A connection without a call for so long is closed. Its caller is told, and opens another with the next call.
    #[serde(rename = "idle_timeout_ms", deserialize_with = "millis")]
    pub idle: Duration,
    /// How often a connection is asked whether its other end is still there.
    #[serde(rename = "keep_alive_ms", deserialize_with = "millis")]
    pub keep_alive: Duration,
    /// One that does not answer by then is cut off.
    #[serde(rename = "keep_alive_timeout_ms", deserialize_with = "millis")]
    pub keep_alive_timeout: Duration,
}

impl Http2 {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("http2.max_streams", self.max_streams == 0),
            ("http2.idle_timeout_ms", self.idle.is_zero()),
            ("http2.keep_alive_ms", self.keep_alive.is_zero()),
            (
                "http2.keep_alive_timeout_ms",
                self.keep_alive_timeout.is_zero(),
            ),
        ];
        match positive.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((key, _)) => Err(invalid(key, "must be more than 0")),
            None => Ok(()),
        }
    }
}

/// Routes to methods of a service. A method that is not named is not there, and each has a route of its own, so that
/// nobody can make up time series.
pub fn methods<S>(service: &S, names: &[&str]) -> Router
where
    S: Service<Request<Body>, Error = Infallible> + NamedService,
    S: Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    names.iter().fold(Router::new(), |router, name| {
        let service = service.clone();
        let service = service.map_request(|it: Request<axum::body::Body>| it.map(Body::new));
        router.route_service(&format!("/{}/{name}", S::NAME), service)
    })
}

/// `grpc.reflection.v1`, and `v1alpha`, which most tools still ask for: what this service answers, for callers that have
/// not got its `.proto` files. `descriptor` is what `build.rs` makes of them.
pub fn reflection(descriptor: &[u8]) -> Result<Router, Error> {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure();
        builder.register_encoded_file_descriptor_set(descriptor)
    };
    let (now, before) = (builder().build_v1()?, builder().build_v1alpha()?);
    let names = &["ServerReflectionInfo"];
    Ok(methods(&now, names).merge(methods(&before, names)))
}

/// Full names of the services of a descriptor.
pub fn service_names(descriptor: &[u8]) -> Result<Vec<String>, Error> {
    let set = FileDescriptorSet::decode(descriptor)?;
    let names = set.file.iter().flat_map(|file| {
        let services = file.service.iter();
        services.map(|service| format!("{}.{}", file.package(), service.name()))
    });
    Ok(names.collect())
}

/// Both ports are taken; nobody can connect yet.
pub struct Listening {
    inner: serve::Listening,
    names: Vec<String>,
    linger: Duration,
}

/// Takes both ports: gRPC on the first, probes and metrics over HTTP on the other.
pub fn listen(
    server: &Server,
    http2: &Http2,
    admin: &Admin,
    descriptor: &[u8],
) -> Result<Listening, Error> {
    Ok(Listening {
        inner: serve::listen(server, admin)?.over_http2(http2),
        names: service_names(descriptor)?,
        linger: server.linger,
    })
}

impl Listening {
    /// Traffic over TLS only. Reads the certificates, which needs a tokio runtime.
    #[cfg(feature = "server-tls")]
    pub fn with_tls(self, tls: &ServerTls) -> Result<Self, Error> {
        let inner = self.inner.with_tls(tls)?;
        Ok(Self { inner, ..self })
    }

    /// Keeps this instance in a registry while it serves.
    #[cfg(feature = "registry")]
    pub fn listed_in(self, registration: Box<dyn Registration>, service: &Identity) -> Self {
        let inner = self.inner.listed_in(registration, service);
        Self { inner, ..self }
    }

    pub fn traffic_address(&self) -> io::Result<SocketAddr> {
        self.inner.traffic_address()
    }

    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.inner.admin_address()
    }

    /// Serves until SIGTERM or Ctrl-C, then drains. `start` makes what is served, and may wait for what it needs.
    pub async fn serve(
        self,
        start: impl Future<Output = Result<(Router, Checks), Error>>,
    ) -> Result<(), Error> {
        self.serve_until(start, shutdown::signal()).await
    }

    /// Likewise, until `stop` completes.
    pub async fn serve_until(
        self,
        start: impl Future<Output = Result<(Router, Checks), Error>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let Self { inner, names, .. } = self;
        let (reporter, service) = health_reporter();
        set(&reporter, &all(&names), ServingStatus::NotServing).await;
        // Outside the limits, as probes are: overload must not look like illness. It only looks up what is known.
        let health = methods(&service, &["Check", "Watch"]).layer(RequestLayer);
        let start = async {
            let (app, checks) = start.await?;
            Ok((app.merge(health), checks))
        };
        let told = tell_health(inner.health(), reporter, names, self.linger);
        tokio::select! {
            served = inner.serve_until(start, stop) => served,
            never = told => match never {},
        }
    }
}

/// Keeps `grpc.health.v1` to what `/readyz` says, for the whole and for each service, and tells all who watch when the
/// service stops: first that it does not serve, then that there is no more to say.
async fn tell_health(
    health: Health,
    mut reporter: HealthReporter,
    services: Vec<String>,
    linger: Duration,
) -> Infallible {
    let all = all(&services);
    let mut said = ServingStatus::NotServing;
    let mut phase = health.phase();
    while !*phase.borrow_and_update() {
        let status = match health.readiness().await {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        if said != status {
            set(&reporter, &all, status).await;
            said = status;
        }
        _ = timeout(LOOK, phase.changed()).await;
    }
    set(&reporter, &all, ServingStatus::NotServing).await;
    sleep(linger).await;
    for name in all {
        reporter.clear_service_status(name).await;
    }
    std::future::pending().await
}

/// Each service, and the whole, which has no name.
fn all(services: &[String]) -> Vec<&str> {
    services.iter().map(String::as_str).chain([""]).collect()
}

async fn set(reporter: &HealthReporter, services: &[&str], status: ServingStatus) {
    for name in services {
        reporter.set_service_status(name, status).await;
    }
}

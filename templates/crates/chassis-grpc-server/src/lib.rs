//! A port that speaks gRPC, with the services that every such port has: health and reflection. The layers are those of
//! `chassis-inbound`; what they refuse becomes a status.
//!
//! - `answer`: a call's outcome, counted and logged when it ends;
//! - `connection`: HTTP/2;
//! - `health`: `grpc.health.v1`;
//! - [`protocol`]: what is asked of the layers.

mod answer;
mod connection;
mod health;
pub mod protocol;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::IntoResponse;
use chassis::Error;
use chassis::config::{Admin, ConfigError, Server, invalid, millis};
use chassis::serve::{self, Listening};
use chassis_inbound::protect_as;
use prost::Message;
use prost_types::FileDescriptorSet;
use serde::Deserialize;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt};

pub use chassis_grpc::code::status;
use connection::Connections;
use health::HealthService;
use protocol::Grpc;

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

/// Puts the layers around all methods of `app`. Those added afterwards are not covered.
pub fn protect(app: Router, limits: &Server) -> Router {
    protect_as::<Grpc>(app, limits)
}

/// Takes both ports: gRPC on the first, with what `grpc.health.v1` says of the services of `descriptor`; probes and metrics
/// over HTTP on the other.
pub fn listen(
    server: &Server,
    http2: &Http2,
    admin: &Admin,
    descriptor: &[u8],
) -> Result<Listening, Error> {
    let health = HealthService::new(service_names(descriptor)?, server.linger);
    let listening = serve::listen(server, admin)?;
    let listening = listening.speaking(Connections::new(http2, server));
    Ok(listening.beside(health))
}

//! The microservice chassis: infrastructure that every service of this workspace shares, and no business code.
//!
//! One file a practice:
//!
//! - [`config`]: defaults, file, environment; every knob checked before anything starts.
//! - [`telemetry`]: one JSON line per event on standard output, by way of [`log_writer`]; [`trace_context`] ties lines of several services together;
//!   [`otlp`] sends logs and traces to a central store.
//! - [`metrics`]: request rate, errors and durations, for Prometheus.
//! - [`health`]: `/livez`, `/readyz`, `/startupz` and `/metrics` on the admin port.
//! - [`inbound`]: the layers around every handler, in their order: [`request`] with [`security_headers`], [`admission`]
//!   with [`rate_limit`] by [`client_address`].
//! - [`problem`]: errors as `application/problem+json`, refusals by a layer too; [`extract`]: input that fails as one.
//! - [`openapi`]: serves the document that says so to callers.
//! - [`startup`]: wait for what the service needs.
//! - [`serve`]: listen, serve, and on SIGTERM stop without dropping a request; [`shutdown`] is the signal, `connection` what
//!   happens on each connection, `connection_limit` how many there are.
//! - [`worker`]: the same for a service that nobody calls; [`work`] is what it does when it handles a message.
//! - [`discovery`]: a service's name to its addresses; `registry` is where instances are listed: `consul`, `eureka`
//!   (features of these names).
//! - `outbound` (feature `outbound`): calls to other services, through `fallback`, `retry`, `circuit_breaker` and
//!   `balancer`.
//! - `auth` (feature `jwt`): who is calling and what they may do; [`http_client`] reads the issuer's keys.
//! - `tls` (features `server-tls` and `client-tls`): certificates of the traffic port, and of calls to other services.
//! - `grpc` (features `grpc-server` and `grpc-client`): the same over gRPC.

pub mod admission;
#[cfg(feature = "jwt")]
pub mod auth;
#[cfg(feature = "outbound")]
pub mod balancer;
#[cfg(feature = "outbound")]
pub mod circuit_breaker;
pub mod client_address;
pub mod config;
mod connection;
mod connection_limit;
#[cfg(feature = "consul")]
pub mod consul;
pub mod discovery;
#[cfg(feature = "eureka")]
pub mod eureka;
pub mod extract;
#[cfg(feature = "outbound")]
pub mod fallback;
#[cfg(any(feature = "grpc-server", feature = "grpc-client"))]
pub mod grpc;
pub mod health;
pub mod http_client;
pub mod inbound;
pub mod log_writer;
pub mod metrics;
pub mod openapi;
pub mod otlp;
#[cfg(feature = "outbound")]
pub mod outbound;
pub mod problem;
pub mod rate_limit;
#[cfg(feature = "registry")]
pub mod registry;
pub mod request;
#[cfg(feature = "outbound")]
pub mod retry;
pub mod security_headers;
pub mod serve;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
#[cfg(any(feature = "server-tls", feature = "https"))]
pub mod tls;
pub mod trace_context;
pub mod work;
pub mod worker;

use std::io::Write;
use std::process::ExitCode;

/// What went wrong, for the person who starts the service.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How the process ends: with 1 and the error when it could not do its work. The error is told to the person who
/// started it and, once logging works, to the log.
pub fn exit_code(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else {
        telemetry::flush();
        return ExitCode::SUCCESS;
    };
    tracing::error!(
        error = &*error as &(dyn std::error::Error + 'static),
        "stopped"
    );
    _ = writeln!(std::io::stderr(), "error: {error}");
    telemetry::flush();
    ExitCode::FAILURE
}

/// Who this service is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Name in logs and in the `aud` claim of tokens.
    pub name: &'static str,
    /// Version in logs.
    pub version: &'static str,
    /// Prefix of the environment variables that configure it.
    pub env_prefix: &'static str,
}

//! The microservice chassis: infrastructure that every service of this workspace shares, and no business code. This is its
//! core, which every service has; what only some need is in a crate of its own beside it.
//!
//! - [`config`]: defaults, file, environment; every knob checked before anything starts.
//! - [`startup`]: wait for what the service needs.
//! - [`serve`]: listen, serve, and on SIGTERM stop without dropping a request; [`shutdown`] is the signal, [`connection`] what
//!   happens on each connection, [`connection_limit`] how many there are, [`stream`] how they begin.
//! - [`health`]: `/livez`, `/readyz`, `/startupz` and `/metrics` on the admin port.
//! - [`metrics`]: what is counted, for Prometheus.
//! - [`problem`]: errors as `application/problem+json`.
//!
//! Each crate beside it says in its first lines what it is for.

pub mod config;
pub mod connection;
pub mod connection_limit;
pub mod health;
pub mod metrics;
pub mod networks;
pub mod problem;
pub mod serve;
pub mod shutdown;
pub mod startup;
pub mod stream;

use std::pin::Pin;

/// What is being done, where it does not matter by whom.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What went wrong, for the person who starts the service.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

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

//! The service's own code, apart from `main` so that tests can call it:
//!
//! - [`config`]: its knobs.
//% if calls
//! - [`clients`]: the services that it calls.
//% endif
//% if protocol == "grpc"
//! - [`routes`]: what it answers, as `proto/` tells callers; [`proto`] is the code that is made of it.
//% else
//! - [`routes`]: what it answers, as `openapi.json` tells callers.
//% endif
//% if store != "none"
//! - [`store`]: its data, which nobody else touches.
//% if broker != "none"
//! - [`outbox`]: what it tells others of that, when they can be told.
//% endif
//! - `error`: what a caller learns when the store fails.
//% endif

//% if calls
pub mod clients;
//% endif
pub mod config;
//% if store != "none"
mod error;
//% endif
//% if protocol == "rest"
#[cfg(test)]
mod openapi;
//% endif
//% if broker != "none"
pub mod outbox;
//% endif
//% if proto
pub mod proto;
//% endif
pub mod routes;
//% if store != "none"
pub mod store;
//% endif

//% if broker != "none"
use std::sync::Arc;

//% endif
use axum::Router;
//% if auth == "jwt"
use axum::middleware::from_fn_with_state;
//% endif
use chassis::health::Checks;
use chassis::{Error, Identity};
//% if auth == "jwt"
use chassis_auth::{self as auth, Verifier};
//% endif
//% if protocol == "grpc"
use chassis_grpc_server::{protect, reflection};
//% else
use chassis_inbound::protect;
//% endif
//% if broker != "none"
use chassis_messaging::outbox::Relay;
//% endif

pub use config::Config;
//% if store != "none"
use store::Store;
//% endif

pub const SERVICE: Identity = Identity {
    name: "example-service",
    version: env!("CARGO_PKG_VERSION"),
    env_prefix: "EXAMPLE_SERVICE",
};

//% if protocol == "rest"
/// What callers may rely on. A test writes it from the code and holds it equal.
pub const OPENAPI: &str = include_str!("../openapi.json");

//% endif
//% if broker != "none"
/// The routes, what must be well for them to answer, and the store whose events are published.
pub type Built = (Router, Checks, Store);

/// Opens what the service needs, and puts its routes behind the chassis's layers. Its events are published from then on;
/// requests do not wait for that.
pub async fn start(config: &Config, relay: &Relay) -> Result<(Router, Checks), Error> {
    //% if database
    store::bring_up_to_date(&config.store).await?;
    //% endif
    let (routes, checks, store) = build(config).await?;
    let broker = config::connect(&config.broker, SERVICE.name).await?;
    relay.start(store.waiting(), Arc::new(broker));
    Ok((protect(routes, &config.server), checks))
}
//% else
/// The routes, and what must be well for them to answer.
pub type Built = (Router, Checks);

/// Opens what the service needs, and puts its routes behind the chassis's layers.
pub async fn start(config: &Config) -> Result<(Router, Checks), Error> {
    //% if database
    store::bring_up_to_date(&config.store).await?;
    //% endif
    let (routes, checks) = build(config).await?;
    Ok((protect(routes, &config.server), checks))
}
//% endif

/// The same, not yet behind the chassis's layers.
pub async fn build(config: &Config) -> Result<Built, Error> {
    //% if auth == "jwt"
    let verifier = Verifier::new(&SERVICE, &config.auth)?;
    //% endif
    let checks = Checks::new(&config.admin);
    //% if auth == "jwt"
    let checks = checks.add("issuer", verifier.check());
    //% endif
    //% if store != "none"
    //% if database
    let store = Store::new(&config.store)?;
    //% else
    let store = Store::open(&config.store).await?;
    //% endif
    //% if broker != "none"
    let waiting = store.clone();
    //% endif
    let checks = checks.add("store", store.check());
    //% if protocol == "grpc"
    let routes = routes::router(store, &config.server);
    //% else
    let routes = routes::router(store);
    //% endif
    //% else
    //% if protocol == "grpc"
    let routes = routes::router(&config.server);
    //% else
    let routes = routes::router();
    //% endif
    //% endif
    //% for callee in calls
    let client = clients::example_callee::Client::new(config)?;
    let calls = clients::example_callee::router(client);
    let routes = routes.merge(calls);
    //% endfor
    //% if auth == "jwt"
    let routes = routes.route_layer(from_fn_with_state(verifier, auth::require));
    //% endif
    //% if protocol == "grpc"
    let routes = routes.merge(reflection(proto::OWN)?);
    //% else
    let routes = routes.merge(chassis_rest::openapi::router(OPENAPI));
    //% endif
    //% if broker != "none"
    let built = (routes, checks, waiting);
    //% else
    let built = (routes, checks);
    //% endif
    Ok(built)
}

//! What can be configured. Defaults and explanations are in `config.toml`.

//% if tokens
use std::path::PathBuf;

//% endif
//% if protocol == "events"
use chassis::config::{Admin, ConfigError, Log};
//% else
use chassis::config::{Admin, ConfigError, Log, Server};
//% endif
//% if auth == "jwt"
use chassis_auth::Auth;
//% endif
//% if discovery == "consul"
//% if protocol == "events"
use chassis_consul::Consul;
//% else
use chassis_consul::{Advertised, Consul};
//% endif
//% endif
//% if database
use chassis_database::server::Database;
//% endif
//% if calls
use chassis_discovery::Discovery;
//% endif
//% if discovery == "eureka"
//% if protocol == "events"
use chassis_eureka::Eureka;
//% else
use chassis_eureka::{Advertised, Eureka};
//% endif
//% endif
//% if protocol == "grpc"
use chassis_grpc_server::Http2;
//% endif
//% if broker == "kafka"
pub use chassis_kafka::{Broker, connect};
//% endif
//% if protocol == "events"
use chassis_messaging::consumer::Consumption;
//% elif broker != "none"
use chassis_messaging::outbox::Relaying;
//% endif
//% if broker == "nats"
pub use chassis_nats::{Broker, connect};
//% endif
//% if calls
use chassis_outbound::Outbound;
//% endif
//% if broker == "rabbitmq"
pub use chassis_rabbitmq::{Broker, connect};
//% endif
//% if store == "sqlite"
use chassis_sqlite::Sqlite;
//% endif
//% if client_tls
use chassis_tls::client::ClientTls;
//% endif
//% if tls != "mesh"
use chassis_tls::server::ServerTls;
//% endif
use serde::Deserialize;

//% if protocol == "events" and store != "none"
use crate::store::Inbox;

//% endif
const DEFAULTS: &str = include_str!("../config.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    //% if protocol != "events"
    pub server: Server,
    //% endif
    //% if protocol == "grpc"
    pub http2: Http2,
    //% endif
    //% if tls != "mesh"
    pub server_tls: ServerTls,
    //% endif
    pub admin: Admin,
    pub log: Log,
    //% if calls
    pub discovery: Discovery,
    //% endif
    //% if discovery == "consul"
    pub consul: Consul,
    //% endif
    //% if discovery == "eureka"
    pub eureka: Eureka,
    //% endif
    //% if registry and protocol != "events"
    pub advertised: Advertised,
    //% endif
    //% if calls
    pub calls: Calls,
    //% endif
    //% if client_tls
    pub client_tls: ClientTls,
    //% endif
    //% if tokens
    pub token: Tokens,
    //% endif
    //% if database
    pub store: Database,
    //% endif
    //% if store == "sqlite"
    pub store: Sqlite,
    //% endif
    //% if protocol == "events" and store != "none"
    pub inbox: Inbox,
    //% endif
    //% if broker != "none"
    pub broker: Broker,
    //% endif
    //% if protocol == "events"
    pub consumer: Consumption,
    //% elif broker != "none"
    pub outbox: Relaying,
    //% endif
    //% if auth == "jwt"
    pub auth: Auth,
    //% endif
}

//% if calls
/// How other services are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    //% for callee in calls
    pub example_callee: Outbound,
    //% endfor
}

//% endif
//% if tokens
/// Where the tokens for other services are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    //% for callee in calls
    //% if callee.auth == "jwt"
    pub example_callee_file: Option<PathBuf>,
    //% endif
    //% endfor
}

//% endif
impl Config {
    pub fn load() -> Result<Self, ConfigError> {
        //% if registry and calls
        let mut config: Self = chassis::config::load(&crate::SERVICE, DEFAULTS)?;
        //% else
        let config: Self = chassis::config::load(&crate::SERVICE, DEFAULTS)?;
        //% endif
        //% if calls and discovery == "consul"
        config.discovery.set_registry(config.consul.clone());
        //% endif
        //% if calls and discovery == "eureka"
        config.discovery.set_registry(config.eureka.clone());
        //% endif
        //% if protocol == "events"
        config.consumer.check()?;
        //% else
        config.server.check()?;
        //% endif
        //% if protocol == "grpc"
        config.http2.check()?;
        //% endif
        //% if database or calls
        //% if protocol == "events"
        let work = config.consumer.time_limit();
        //% else
        let work = config.server.time_limit();
        //% endif
        //% endif
        //% if database
        config.store.check(work)?;
        //% endif
        //% if protocol != "events" and broker != "none"
        config.outbox.check(&config.server)?;
        //% endif
        //% for callee in calls
        let call = &config.calls.example_callee;
        call.check("example_callee", work)?;
        //% endfor
        Ok(config)
    }
}

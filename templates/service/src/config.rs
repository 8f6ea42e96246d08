//! What can be configured. Defaults and explanations are in `config.toml`.

//% if tokens
use std::path::PathBuf;

//% endif
use chassis::config::{Admin, ConfigError, Log, Server};
//% if auth == "jwt"
use chassis_auth::Auth;
//% endif
//% if discovery == "consul"
use chassis_consul::Consul;
//% endif
//% if database
use chassis_database::server::Database;
//% endif
//% if calls
use chassis_discovery::Discovery;
//% endif
//% if discovery == "eureka"
use chassis_eureka::Eureka;
//% endif
//% if protocol == "grpc"
use chassis_grpc_server::Http2;
//% endif
//% if broker == "kafka"
pub use chassis_kafka::{Broker, connect};
//% endif
//% if broker != "none"
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

const DEFAULTS: &str = include_str!("../config.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
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
    //% if broker != "none"
    pub broker: Broker,
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
        config.server.check()?;
        //% if protocol == "grpc"
        config.http2.check()?;
        //% endif
        //% if database
        config.store.check(&config.server)?;
        //% endif
        //% if broker != "none"
        config.outbox.check(&config.server)?;
        //% endif
        //% for callee in calls
        let call = &config.calls.example_callee;
        call.check("example_callee", &config.server)?;
        //% endfor
        Ok(config)
    }
}

//! What can be configured. Defaults and explanations are in `config.toml`.

use chassis::config::{Admin, ConfigError, Log};
//% if database
use chassis_database::server::Database;
//% endif
//% if broker == "kafka"
pub use chassis_kafka::{Broker, connect};
//% endif
use chassis_messaging::consumer::Consumption;
//% if broker == "nats"
pub use chassis_nats::{Broker, connect};
//% endif
//% if broker == "rabbitmq"
pub use chassis_rabbitmq::{Broker, connect};
//% endif
//% if store == "sqlite"
use chassis_sqlite::Sqlite;
//% endif
use serde::Deserialize;

//% if store != "none"
use crate::store::Inbox;

//% endif
const DEFAULTS: &str = include_str!("../config.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub admin: Admin,
    pub log: Log,
    pub broker: Broker,
    pub consumer: Consumption,
    //% if database
    pub store: Database,
    //% endif
    //% if store == "sqlite"
    pub store: Sqlite,
    //% endif
    //% if store != "none"
    pub inbox: Inbox,
    //% endif
}

impl Config {
    pub fn load() -> Result<Self, ConfigError> {
        let config: Self = chassis::config::load(&crate::SERVICE, DEFAULTS)?;
        config.consumer.check()?;
        Ok(config)
    }
}

//! What can be configured. Defaults and explanations are in `config.toml`.

//% if auth == "jwt"
use chassis::auth::Auth;
//% endif
use chassis::config::{Admin, ConfigError, Log, Server};
use chassis::discovery::Discovery;
//% if store == "sqlite"
use chassis::sqlite::Sqlite;
//% endif
use serde::Deserialize;

const DEFAULTS: &str = include_str!("../config.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub admin: Admin,
    pub log: Log,
    pub discovery: Discovery,
    //% if store == "sqlite"
    pub store: Sqlite,
    //% endif
    //% if auth == "jwt"
    pub auth: Auth,
    //% endif
}

impl Config {
    pub fn load() -> Result<Self, ConfigError> {
        let config: Self = chassis::config::load(&crate::SERVICE, DEFAULTS)?;
        config.server.check()?;
        config.discovery.check()?;
        Ok(config)
    }
}

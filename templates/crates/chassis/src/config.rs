//! Configuration in layers, the later one wins: the defaults in the service's `config.toml`, the TOML file that
//! `<PREFIX>_CONFIG` names, the environment (`<PREFIX>__SERVER__PORT=8081`). A key nobody knows is an error: a typo
//! must not silently leave a default in force.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::Identity;
use crate::networks::Networks;

/// Why the configuration cannot be used, and which key is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration: {0}")]
    Unreadable(#[from] ::config::ConfigError),
    #[error("configuration: `{key}` {problem}")]
    Invalid { key: String, problem: String },
}

/// How long the end of the process waits until its last telemetry is sent.
pub const LAST_TELEMETRY: Duration = Duration::from_secs(2);

/// The smallest buffer that hyper takes.
const MIN_HEADER_LIMIT: usize = 8192;

/// The traffic port and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub host: IpAddr,
    /// 0 takes any free port.
    pub port: u16,
    /// For each connection beyond this many at once the longest silent one is closed.
    pub max_connections: u32,
    /// A client that has not sent its headers by then, or nothing for so long, is cut off.
    #[serde(rename = "header_read_timeout_ms", deserialize_with = "millis")]
    pub header_read_timeout: Duration,
    /// Longer headers are refused with 431.
    pub header_limit_bytes: usize,
    /// The whole request: waiting, reading its body, the handler.
    #[serde(rename = "request_timeout_ms", deserialize_with = "millis")]
    pub request_timeout: Duration,
    /// For a body that a handler still reads after it has begun to answer.
    #[serde(rename = "body_timeout_ms", deserialize_with = "millis")]
    pub body_timeout: Duration,
    pub body_limit_bytes: usize,
    /// Requests beyond this many at once are refused with 503.
    pub max_in_flight: usize,
    pub rate_limit: RateLimits,
    /// Networks of the proxies in front, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// After SIGTERM, how long all are still let in while answers ask callers to close their connections.
    #[serde(rename = "linger_ms", deserialize_with = "millis")]
    pub linger: Duration,
    /// How long requests may go on after that.
    #[serde(rename = "drain_ms", deserialize_with = "millis")]
    pub drain: Duration,
    /// When the platform kills the process after SIGTERM.
    #[serde(rename = "grace_ms", deserialize_with = "millis")]
    pub grace: Duration,
}

/// How many requests a client may make: `[server.rate_limit]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    #[serde(default)]
    pub enabled: bool,
    pub requests_per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// The port for probes and metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub host: IpAddr,
    /// 0 takes any free port.
    pub port: u16,
    /// A readiness check that takes longer has failed.
    #[serde(rename = "check_timeout_ms", deserialize_with = "millis")]
    pub check_timeout: Duration,
}

/// What to log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level, or levels by module: `info,sqlx=warn`.
    pub level: String,
}

/// Reads a service's configuration. `defaults` is the text of its `config.toml`.
pub fn load<T: DeserializeOwned>(service: &Identity, defaults: &str) -> Result<T, ConfigError> {
    let prefix = service.env_prefix;
    let mut layers = ::config::Config::builder().add_source(::config::File::from_str(
        defaults,
        ::config::FileFormat::Toml,
    ));
    if let Some(path) = std::env::var_os(format!("{prefix}_CONFIG")) {
        layers = layers.add_source(
            ::config::File::from(PathBuf::from(path)).format(::config::FileFormat::Toml),
        );
    }
    let layers = layers.add_source(environment(prefix));
    Ok(layers.build()?.try_deserialize()?)
}

/// Texts, which become what their key holds: a password of digits stays the text that it is.
fn environment(prefix: &str) -> ::config::Environment {
    ::config::Environment::with_prefix(prefix)
        .prefix_separator("__")
        .separator("__")
}

/// How long a piece of work may take, and the key that says so. What it waits for must take less.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    pub key: &'static str,
    pub limit: Duration,
}

impl Server {
    /// Refuses numbers that contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("server.max_connections", u128::from(self.max_connections)),
            (
                "server.header_read_timeout_ms",
                self.header_read_timeout.as_millis(),
            ),
            (
                "server.request_timeout_ms",
                self.request_timeout.as_millis(),
            ),
            ("server.body_timeout_ms", self.body_timeout.as_millis()),
            ("server.body_limit_bytes", self.body_limit_bytes as u128),
            ("server.max_in_flight", self.max_in_flight as u128),
            (
                "server.rate_limit.requests_per_second",
                self.rate_limit.requests_per_second.into(),
            ),
            ("server.rate_limit.burst", self.rate_limit.burst.into()),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(invalid(key, "must be more than 0"));
        }
        if self.header_limit_bytes < MIN_HEADER_LIMIT {
            let problem = format!("must be {MIN_HEADER_LIMIT} or more");
            return Err(invalid("server.header_limit_bytes", problem));
        }
        if self.drain < self.request_timeout {
            let problem = format!(
                "({} ms) is shorter than `server.request_timeout_ms` ({} ms): requests in flight would be cut off",
                self.drain.as_millis(),
                self.request_timeout.as_millis()
            );
            return Err(invalid("server.drain_ms", problem));
        }
        if self.linger + self.drain + LAST_TELEMETRY >= self.grace {
            let problem = format!(
                "({} ms), `server.linger_ms` and {} s for the last telemetry do not fit into `server.grace_ms` ({} ms): the process would be killed while it drains",
                self.drain.as_millis(),
                LAST_TELEMETRY.as_secs(),
                self.grace.as_millis()
            );
            return Err(invalid("server.drain_ms", problem));
        }
        Ok(())
    }

    /// Of a request.
    pub fn time_limit(&self) -> TimeLimit {
        TimeLimit {
            key: "server.request_timeout_ms",
            limit: self.request_timeout,
        }
    }

    pub fn address(&self) -> SocketAddr {
        (self.host, self.port).into()
    }
}

impl Admin {
    pub fn address(&self) -> SocketAddr {
        (self.host, self.port).into()
    }
}

/// An error about one key.
pub fn invalid(key: impl Into<String>, problem: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key: key.into(),
        problem: problem.into(),
    }
}

/// A secret from its key or from the file that its `_file` twin names, without the line's end. `None` when neither is set.
pub fn secret(
    key: &'static str,
    value: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, ConfigError> {
    match (value, file) {
        (Some(_), Some(_)) => Err(invalid(key, "and its `_file` twin are both set: keep one")),
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(file)) => match std::fs::read_to_string(file) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).into())),
            Err(error) => Err(invalid(
                key,
                format!("cannot be read from {}: {error}", file.display()),
            )),
        },
        (None, None) => Ok(None),
    }
}

/// A duration from a number of milliseconds.
pub fn millis<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    u64::deserialize(value).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            max_connections: 16,
            header_read_timeout: Duration::from_secs(10),
            header_limit_bytes: 16384,
            request_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            body_limit_bytes: 1024,
            max_in_flight: 8,
            rate_limit: RateLimits {
                requests_per_second: 1,
                burst: 1,
                ..RateLimits::default()
            },
            trusted_proxies: Networks::default(),
            linger: Duration::from_secs(1),
            drain: Duration::from_secs(20),
            grace: Duration::from_secs(35),
        }
    }

    #[test]
    fn contradicting_limits_are_refused_by_name() {
        assert!(server().check().is_ok());
        let cases = [
            (
                Server {
                    max_in_flight: 0,
                    ..server()
                },
                "`server.max_in_flight` must be more than 0",
            ),
            (
                Server {
                    header_limit_bytes: 4096,
                    ..server()
                },
                "`server.header_limit_bytes` must be 8192 or more",
            ),
            (
                Server {
                    drain: Duration::from_secs(4),
                    ..server()
                },
                "shorter than `server.request_timeout_ms`",
            ),
            (
                Server {
                    drain: Duration::from_secs(32),
                    ..server()
                },
                "do not fit into `server.grace_ms`",
            ),
        ];
        for (limits, expected) in cases {
            let error = limits.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_variable_becomes_what_its_key_holds() {
        #[derive(Deserialize)]
        struct Keys {
            section: Section,
        }
        #[derive(Deserialize)]
        struct Section {
            port: u16,
            on: bool,
            password: Option<String>,
        }
        let given = [
            ("T__SECTION__PORT", "8081"),
            ("T__SECTION__ON", "true"),
            ("T__SECTION__PASSWORD", "00123456789012345678901"),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = environment("T").source(Some(given.into()));
        let layers = ::config::Config::builder().add_source(source);
        let Keys { section } = layers.build().unwrap().try_deserialize().unwrap();
        assert_eq!((section.port, section.on), (8081, true));
        assert_eq!(section.password.unwrap(), "00123456789012345678901");
    }

    #[test]
    fn a_secret_comes_from_one_place_only() {
        let file = std::env::temp_dir().join(format!("chassis-secret-{}", std::process::id()));
        std::fs::write(&file, "from file\n").unwrap();
        let value = SecretString::from("from key");
        let read = |value, file| secret("auth.key", value, file).map(|found| found.map(reveal));
        assert_eq!(read(None, None).unwrap(), None);
        assert_eq!(
            read(Some(&value), None).unwrap().as_deref(),
            Some("from key")
        );
        assert_eq!(
            read(None, Some(&file)).unwrap().as_deref(),
            Some("from file")
        );
        assert!(read(Some(&value), Some(&file)).is_err());
        std::fs::remove_file(&file).unwrap();
        assert!(
            read(None, Some(&file))
                .unwrap_err()
                .to_string()
                .contains("cannot be read from")
        );
    }

    fn reveal(secret: SecretString) -> String {
        use secrecy::ExposeSecret;
        secret.expose_secret().to_owned()
    }
}

//! Where a database is that stands on a server, who may use it, how long one waits for it. Each engine has a crate of its
//! own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::Error;
use chassis::config::{ConfigError, Server, invalid, millis, secret};
use chassis::startup::Failure;
use secrecy::SecretString;
use serde::Deserialize;

/// Where the data is and how to get at it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub host: String,
    pub port: u16,
    /// The database's name on that server.
    pub database: String,
    pub user: String,
    /// None where the server knows the user in another way.
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    pub ssl_mode: SslMode,
    /// Authorities, in PEM, that are trusted to sign the server's certificate, besides those of the system.
    pub ca_file: Option<PathBuf>,
    pub max_connections: u32,
    /// How long a request waits for a connection, new or used: shorter than the request's own timeout.
    #[serde(rename = "acquire_timeout_ms", deserialize_with = "millis")]
    pub acquire_timeout: Duration,
    /// How long a statement may take. The schema's steps take what they need.
    #[serde(rename = "statement_timeout_ms", deserialize_with = "millis")]
    pub statement_timeout: Duration,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Not at all: only where nobody else is on the way.
    Disable,
    /// TLS, and the server shows a certificate for its host that a trusted authority has signed.
    VerifyFull,
}

impl Database {
    /// Refuses numbers that make no sense, alone or beside the server's.
    pub fn check(&self, server: &Server) -> Result<(), ConfigError> {
        if self.max_connections == 0 {
            return Err(invalid("store.max_connections", "must be more than 0"));
        }
        for (key, wait) in [
            ("store.acquire_timeout_ms", self.acquire_timeout),
            ("store.statement_timeout_ms", self.statement_timeout),
        ] {
            if wait.is_zero() || wait >= server.request_timeout {
                let problem = format!(
                    "({} ms) must be more than 0 and less than `server.request_timeout_ms` ({} ms)",
                    wait.as_millis(),
                    server.request_timeout.as_millis()
                );
                return Err(invalid(key, problem));
            }
        }
        Ok(())
    }

    pub fn secret(&self) -> Result<Option<SecretString>, ConfigError> {
        let file = self.password_file.as_deref();
        secret("store.password", self.password.as_ref(), file)
    }

    /// The file of authorities, which can be read now. It is read for each connection, so it may be renewed.
    pub fn authorities(&self) -> Result<Option<&Path>, ConfigError> {
        let Some(file) = self.ca_file.as_deref() else {
            return Ok(None);
        };
        File::open(file).map_err(|error| {
            let problem = format!("cannot be read from {}: {error}", file.display());
            invalid("store.ca_file", problem)
        })?;
        Ok(Some(file))
    }

    /// What went wrong with it, for whoever runs the service.
    pub fn told(&self, what: &str, error: &dyn std::error::Error) -> Error {
        let Self {
            host,
            port,
            database,
            ..
        } = self;
        format!("cannot {what} the database `{database}` on {host}:{port} (`store`): {error}")
            .into()
    }

    /// Likewise, while the service starts: whether waiting helps depends on the error.
    pub fn failed(&self, what: &str, error: &sqlx::Error, is_late: bool) -> Failure {
        let told = self.told(what, error);
        match is_late && !is_refusal(error) {
            true => Failure::NotYet(told),
            false => Failure::Never(told),
        }
    }
}

/// The server's certificate is not trusted, or it speaks no TLS: it will not be another one soon.
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        sqlx::Error::Tls(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(secret: Option<&str>) -> Database {
        Database {
            host: "orders-store".to_owned(),
            port: 5432,
            database: "orders".to_owned(),
            user: "orders".to_owned(),
            password: secret.map(Into::into),
            password_file: None,
            ssl_mode: SslMode::VerifyFull,
            ca_file: None,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
        }
    }

    #[test]
    fn nobody_is_shown_the_password() {
        let database = database(Some("swordfish"));
        let error = sqlx::Error::Protocol("unexpected".into());
        let told = database.told("reach", &error).to_string();
        assert_eq!(
            told,
            "cannot reach the database `orders` on orders-store:5432 (`store`): \
             encountered unexpected or invalid data: unexpected"
        );
        assert!(!format!("{database:?}").contains("swordfish"));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_not_waited_for() {
        use std::io::{Error, ErrorKind};
        let ends = |kind| {
            let error = sqlx::Error::Io(Error::new(kind, "why"));
            matches!(
                database(None).failed("reach", &error, true),
                Failure::Never(_)
            )
        };
        assert!(ends(ErrorKind::InvalidData));
        assert!(!ends(ErrorKind::ConnectionRefused));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let named = Database {
            ca_file: Some("nowhere/ca.crt".into()),
            password_file: Some("nowhere/password".into()),
            ..database(None)
        };
        let problems = [
            named.authorities().unwrap_err().to_string(),
            named.secret().unwrap_err().to_string(),
        ];
        for (problem, key) in problems.iter().zip(["ca.crt", "password"]) {
            assert!(problem.contains("`store."), "{problem}");
            assert!(problem.contains(&format!("nowhere/{key}")), "{problem}");
        }
    }
}

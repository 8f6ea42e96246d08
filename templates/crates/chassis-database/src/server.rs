//! Where a database is that stands on a server, who may use it, how long one waits for it. Each engine has a crate of its
//! own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::Error;
use chassis::config::{ConfigError, TimeLimit, invalid, millis, secret};
use chassis::startup::Failure;
use secrecy::SecretString;
use serde::Deserialize;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions, Connection, Pool};
use tokio::time::timeout;

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
    /// How long work waits for a connection, new or used: shorter than its own time limit.
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
    /// Refuses numbers that make no sense, alone or in the work that waits for it.
    pub fn check(&self, work: TimeLimit) -> Result<(), ConfigError> {
        if self.max_connections == 0 {
            return Err(invalid("store.max_connections", "must be more than 0"));
        }
        for (key, wait) in [
            ("store.acquire_timeout_ms", self.acquire_timeout),
            ("store.statement_timeout_ms", self.statement_timeout),
        ] {
            if wait.is_zero() || wait >= work.limit {
                let problem = format!(
                    "({} ms) must be more than 0 and less than `{}` ({} ms)",
                    wait.as_millis(),
                    work.key,
                    work.limit.as_millis()
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

    /// Makes pools as these numbers have it.
    pub fn pool<DB: sqlx::Database>(&self) -> PoolOptions<DB> {
        PoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
    }

    /// One connection, to a server that has been reached once: a pool would only say that it has waited, this says why.
    pub async fn reach<DB: sqlx::Database>(
        &self,
        options: &<DB::Connection as Connection>::Options,
        is_late: fn(&sqlx::Error) -> bool,
    ) -> Result<Pool<DB>, Failure> {
        let connected = timeout(self.acquire_timeout, options.connect()).await;
        let connected = connected.map_err(|late| Failure::NotYet(self.told("reach", &late)))?;
        let connection = connected.map_err(|error| self.failed("reach", &error, is_late))?;
        _ = connection.close().await;
        let one = self.pool().max_connections(1);
        Ok(one.connect_lazy_with(options.clone()))
    }

    /// How it ended that the schema was brought up to date.
    pub fn migrated(
        &self,
        result: Result<(), MigrateError>,
        is_late: fn(&sqlx::Error) -> bool,
    ) -> Result<(), Failure> {
        match result {
            Ok(()) => Ok(()),
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                Err(self.failed("bring up to date", &error, is_late))
            }
            // Another version of the service has been here.
            Err(error) => Err(Failure::Never(self.told("bring up to date", &error))),
        }
    }

    /// What went wrong with it, for whoever runs the service.
    fn told(&self, what: &str, error: &dyn std::error::Error) -> Error {
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
    fn failed(
        &self,
        what: &str,
        error: &sqlx::Error,
        is_late: fn(&sqlx::Error) -> bool,
    ) -> Failure {
        let told = self.told(what, error);
        match is_late(error) && !is_refusal(error) {
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
                database(None).failed("reach", &error, |_| true),
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

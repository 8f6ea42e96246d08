//! Whose certificates called services must show, and which one this service shows them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chassis::BoxFuture;
use chassis::config::{ConfigError, invalid, millis};
use chassis::stream::{Connect, Stream};
use chassis_https::{authorities, handshake, provider, system_authorities};
use rustls::ClientConfig;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::identity::{self, Named};
use crate::reload::Reloaded;
use crate::{H2, HTTP_1_1};

const SECTION: &str = "client_tls";

/// Files with the certificates that calls to other services need, in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// Called services must show a certificate that one of these authorities has signed, or one of the system's.
    pub ca_file: Option<PathBuf>,
    /// The chain that this service shows where it is asked to, its own certificate first.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// How often the files are looked at.
    #[serde(rename = "reload_ms", deserialize_with = "millis")]
    pub reload: Duration,
}

impl ClientTls {
    fn load(&self, alpn: &[u8]) -> Result<ClientConfig, ConfigError> {
        let ca_key = "client_tls.ca_file";
        let roots = match &self.ca_file {
            Some(file) => authorities(file).map_err(|error| {
                let key = ca_key;
                Named { key, file }.unusable(error)
            })?,
            None => system_authorities(),
        };
        let provider = provider();
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(ca_key, error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match (&self.certificate_file, &self.key_file) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let certificate = Named {
                    key: "client_tls.certificate_file",
                    file: certificate,
                };
                let key = Named {
                    key: "client_tls.key_file",
                    file: key,
                };
                let identity = identity::read(certificate, key, &provider)?;
                config.with_client_cert_resolver(identity)
            }
            _ => {
                let problem = "and `client_tls.key_file` are set together or not at all";
                return Err(invalid("client_tls.certificate_file", problem));
            }
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(config)
    }
}

/// Begins connections with TLS, each with the certificates of its time. Clones share everything.
#[derive(Clone)]
pub struct Connector(Reloaded<ClientConfig>);

impl Connector {
    /// Reads the files. Needs a tokio runtime.
    pub fn new(tls: &ClientTls) -> Result<Self, ConfigError> {
        Self::speaking(HTTP_1_1, tls)
    }

    /// Likewise, for calls by gRPC.
    pub fn for_grpc(tls: &ClientTls) -> Result<Self, ConfigError> {
        Self::speaking(H2, tls)
    }

    fn speaking(alpn: &'static [u8], tls: &ClientTls) -> Result<Self, ConfigError> {
        let files = [&tls.ca_file, &tls.certificate_file, &tls.key_file];
        let files = files.into_iter().flatten().cloned();
        let load = {
            let tls = tls.clone();
            move || tls.load(alpn)
        };
        Reloaded::new(SECTION, files.collect(), tls.reload, load).map(Self)
    }

    /// Whoever answers must show a certificate for this host.
    pub async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        handshake(self.0.get(), host, stream).await
    }
}

impl Connect for Connector {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        stream: TcpStream,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream = self.handshake(host, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

//! The certificate of the traffic port, and whose certificates its callers must show.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chassis::BoxFuture;
use chassis::config::{ConfigError, millis};
use chassis::metrics::{Counter, Family, Labels, register};
use chassis::stream::{Accept, Stream};
use chassis_https::{authorities, provider};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::identity::{self, Named};
use crate::reload::Reloaded;
use crate::{H2, HTTP_1_1};

const SECTION: &str = "server_tls";

static FAILURES: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register(
        "tls_handshake_failures",
        "Connections that were refused before their first request",
        Family::default(),
    )
});

/// Files with the certificates of the traffic port, in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The chain, the service's own certificate first.
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    /// Callers must show a certificate that one of these authorities has signed. Without it anybody may call.
    pub client_ca_file: Option<PathBuf>,
    /// How often the files are looked at.
    #[serde(rename = "reload_ms", deserialize_with = "millis")]
    pub reload: Duration,
}

impl ServerTls {
    fn load(&self, alpn: &[u8]) -> Result<ServerConfig, ConfigError> {
        let provider = provider();
        let certificate = Named {
            key: "server_tls.certificate_file",
            file: &self.certificate_file,
        };
        let key = Named {
            key: "server_tls.key_file",
            file: &self.key_file,
        };
        let identity = identity::read(certificate, key, &provider)?;
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| certificate.unusable(error))?;
        let mut config = match &self.client_ca_file {
            None => config.with_no_client_auth(),
            Some(file) => {
                let clients = Named {
                    key: "server_tls.client_ca_file",
                    file,
                };
                let roots = authorities(file).map_err(|error| clients.unusable(error))?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| clients.unusable(error))?)
            }
        }
        .with_cert_resolver(identity);
        config.alpn_protocols = vec![alpn.to_vec()];
        if self.client_ca_file.is_some() {
            // Who resumes a session shows no certificate again, though it may have run out.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

/// Begins connections with TLS, each with the certificates of its time. Clones share everything.
#[derive(Clone)]
pub struct Acceptor(Reloaded<ServerConfig>);

impl Acceptor {
    /// Reads the files. Needs a tokio runtime.
    pub fn new(tls: &ServerTls) -> Result<Self, ConfigError> {
        Self::speaking(HTTP_1_1, tls)
    }

    /// Likewise, for a port that speaks gRPC.
    pub fn for_grpc(tls: &ServerTls) -> Result<Self, ConfigError> {
        Self::speaking(H2, tls)
    }

    fn speaking(alpn: &'static [u8], tls: &ServerTls) -> Result<Self, ConfigError> {
        let files = [&tls.certificate_file, &tls.key_file];
        let files = files.into_iter().chain(&tls.client_ca_file).cloned();
        let load = {
            let tls = tls.clone();
            move || tls.load(alpn)
        };
        Reloaded::new(SECTION, files.collect(), tls.reload, load).map(Self)
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        limit: Duration,
    ) -> Option<Box<dyn Stream>> {
        let handshake = TlsAcceptor::from(self.0.get()).accept(stream);
        let (reason, error) = match timeout(limit, handshake).await {
            Ok(Ok(stream)) => return Some(Box::new(stream)),
            Ok(Err(error)) => (reason(&error), error),
            Err(late) => ("timed_out", late.into()),
        };
        let labels = vec![("reason", reason.to_owned())];
        FAILURES.get_or_create(&labels).inc();
        tracing::debug!(%peer, error = &error as &dyn Error, "no TLS connection");
        None
    }
}

impl Accept for Acceptor {
    /// `None` when the caller speaks no TLS, shows no certificate that is trusted, or takes too long.
    fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, Option<Box<dyn Stream>>> {
        Box::pin(self.handshake(stream, peer, limit))
    }
}

fn reason(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)) => {
            "certificate"
        }
        Some(_) => "protocol",
        None => "connection",
    }
}

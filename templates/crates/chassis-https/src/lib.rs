//! HTTPS by rustls, for a request now and then: see `chassis-http-client`. And what all TLS has in common: whose certificates
//! are believed.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use axum::http::Uri;
use axum::http::uri::Scheme;
use chassis::stream::{Connect, Stream};
use chassis::{BoxFuture, Error};
use chassis_http_client::HttpClient;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A [`Maker`](chassis_http_client::Maker) of those that speak what the URL asks for. Trusts the certificate authorities
/// of a PEM file, or those of the system.
pub fn client(url: &Uri, ca_file: Option<&Path>) -> Result<HttpClient, Error> {
    if url.scheme() != Some(&Scheme::HTTPS) {
        return Ok(HttpClient::default());
    }
    let roots = match ca_file {
        Some(file) => {
            let unreadable = |error| format!("{}: {error}", file.display());
            authorities(file).map_err(unreadable)?
        }
        None => system_authorities(),
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpClient::over(Https(Arc::new(config))))
}

struct Https(Arc<ClientConfig>);

impl Connect for Https {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        stream: TcpStream,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream = handshake(self.0.clone(), host, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// Begins a connection with TLS. Whoever answers must show a certificate for this host: a name, or an address as a URL has
/// it.
pub async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    TlsConnector::from(config).connect(name, stream).await
}

/// The one that costs least to build.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificate authorities of a PEM file.
pub fn authorities(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The certificate authorities of the system.
pub fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // A system may hold certificates that nobody can read: the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The certificates of a PEM file.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = std::fs::read(file)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err("it holds no certificate in PEM".into());
    }
    Ok(found)
}

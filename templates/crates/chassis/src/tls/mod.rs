//! TLS by rustls, 1.2 and 1.3. Certificates and keys come from PEM files, which are read again when they change, because
//! platforms renew them.
//!
//! - `server` (feature `server-tls`): the traffic port.
//! - `client` (feature `client-tls`): calls to other services.
//! - `identity`: a certificate with its key; `reload`: what is made of files and follows them.

#[cfg(feature = "client-tls")]
pub mod client;
#[cfg(any(feature = "server-tls", feature = "client-tls"))]
mod identity;
#[cfg(any(feature = "server-tls", feature = "client-tls"))]
mod reload;
#[cfg(feature = "server-tls")]
pub mod server;

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Error;

/// What is spoken over TLS.
#[cfg(any(feature = "server-tls", feature = "client-tls"))]
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";
/// The same, of gRPC.
#[cfg(any(
    all(feature = "server-tls", feature = "grpc-server"),
    all(feature = "client-tls", feature = "grpc-client")
))]
pub(crate) const H2: &[u8] = b"h2";

/// The one that costs least to build.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificate authorities of a PEM file.
pub(crate) fn authorities(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The certificate authorities of the system.
#[cfg(feature = "https")]
pub(crate) fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // A system may hold certificates that nobody can read: the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = std::fs::read(file)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err("it holds no certificate in PEM".into());
    }
    Ok(found)
}

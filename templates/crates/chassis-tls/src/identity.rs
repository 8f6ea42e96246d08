//! A certificate chain with its key: who a service says it is.

use std::path::Path;
use std::sync::Arc;

use chassis::config::{ConfigError, invalid};
use chassis_https::certificates;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};

/// A file, and the configuration key that names it.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub key: &'static str,
    pub file: &'a Path,
}

impl Named<'_> {
    /// The key is to blame, and this is why.
    pub fn unusable(self, why: impl std::fmt::Display) -> ConfigError {
        let file = self.file.display();
        invalid(
            self.key,
            format!("names {file}, which cannot be used: {why}"),
        )
    }
}

/// Reads both, and sees that they belong together.
pub fn read(
    certificate: Named<'_>,
    key: Named<'_>,
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, ConfigError> {
    let chain = certificates(certificate.file).map_err(|error| certificate.unusable(error))?;
    let text = std::fs::read(key.file).map_err(|error| key.unusable(error))?;
    // No error shows what stands in the file.
    let secret = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| key.unusable("it holds no private key in PEM"))?;
    let secret = provider.key_provider.load_private_key(secret);
    let secret = secret.map_err(|error| key.unusable(error))?;
    let identity = CertifiedKey::new(chain, secret);
    match identity.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Arc::new(identity.into()))
        }
        Err(Error::InconsistentKeys(_)) => {
            let problem = format!(
                "it is not the key of the certificate in `{}`",
                certificate.key
            );
            Err(key.unusable(problem))
        }
        Err(error) => Err(certificate.unusable(error)),
    }
}

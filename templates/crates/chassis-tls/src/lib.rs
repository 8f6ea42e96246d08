//! TLS by rustls, 1.2 and 1.3. Certificates and keys come from PEM files, which are read again when they change, because
//! platforms renew them.
//!
//! - [`server`]: the traffic port.
//! - [`client`]: calls to other services.
//! - `identity`: a certificate with its key; `reload`: what is made of files and follows them.

pub mod client;
mod identity;
mod reload;
pub mod server;

/// What is spoken over TLS.
const HTTP_1_1: &[u8] = b"http/1.1";
/// The same, of gRPC.
const H2: &[u8] = b"h2";

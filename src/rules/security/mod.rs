//! Practice 7: security at all levels.

pub mod container_as_root;
pub mod hardcoded_secret;
mod interpolated;
mod logged;
pub mod no_network_policy;
mod origin;
pub mod own_crypto;
pub mod permissive_cors;
mod secret;
pub mod secret_in_image;
pub mod secret_logged;
pub mod sql_from_format;
pub mod tls_verification_off;
mod written;

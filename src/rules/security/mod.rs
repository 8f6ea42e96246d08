//! Practice 7: security at all levels.

mod assembled;
pub mod container_as_root;
pub mod hardcoded_secret;
mod interpolated;
mod logged;
pub mod no_network_policy;
mod origin;
pub mod own_crypto;
pub mod permissive_cors;
pub mod plaintext_between_services;
mod secret;
pub mod secret_in_image;
pub mod secret_logged;
pub mod sql_from_format;
pub mod tls_verification_off;
pub mod unauthenticated_route;
mod written;

//! Practice 7: security at all levels.

pub mod hardcoded_secret;
pub mod permissive_cors;
mod secret;
pub mod tls_verification_off;
mod written;

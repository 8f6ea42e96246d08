//! Practice 7: security at all levels.

pub mod container_as_root;
pub mod hardcoded_secret;
pub mod no_network_policy;
mod secret;
pub mod secret_in_image;
mod written;

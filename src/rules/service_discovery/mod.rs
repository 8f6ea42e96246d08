//! Addresses come from names, configuration or a registry; never from the code.

pub(in crate::rules) mod address;
pub mod hardcoded_endpoint;
pub mod localhost_default;
pub mod no_gateway;

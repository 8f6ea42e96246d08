//! Addresses come from names, configuration or a registry; never from the code.

pub mod address;
mod defaults;
pub mod grpc_not_balanced;
pub mod hardcoded_endpoint;
pub mod localhost_default;
pub mod manual_configuration;
pub mod no_gateway;

//! The rules: one folder a practice, one file a rule, one list. Pure: model in, diagnostics out.

pub mod centralized_logging;
pub mod containers;
pub mod data_ownership;
pub mod design_for_failure;
mod images;
pub mod libraries;
pub mod lightweight_protocols;
mod paths;
pub mod resiliency_patterns;
pub mod security;
pub mod service_discovery;
pub mod small_services;
mod time_limit;

use crate::lint::Rule;

/// Every rule, in code order.
pub static ALL: &[&Rule] = &[
    &design_for_failure::no_graceful_shutdown::RULE,
    &small_services::service_depends_on_service::RULE,
    &lightweight_protocols::unversioned_api::RULE,
    &service_discovery::hardcoded_endpoint::RULE,
    &data_ownership::shared_database::RULE,
    &data_ownership::shared_table::RULE,
    &data_ownership::foreign_table_read::RULE,
    &data_ownership::cross_owner_foreign_key::RULE,
    &data_ownership::foreign_migration::RULE,
    &data_ownership::unsafe_migration::RULE,
    &data_ownership::shared_credentials::RULE,
    &resiliency_patterns::http_client_without_timeout::RULE,
    &resiliency_patterns::server_without_timeout::RULE,
    &resiliency_patterns::blocking_in_async::RULE,
    &security::hardcoded_secret::RULE,
    &centralized_logging::print_instead_of_log::RULE,
    &containers::no_container_image::RULE,
    &containers::no_health_check::RULE,
    &containers::unpinned_base_image::RULE,
    &containers::no_probes::RULE,
];

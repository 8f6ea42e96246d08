//! The rules: one folder a practice, one file a rule, one list. Pure: model in, diagnostics out.

pub mod centralized_logging;
mod chosen;
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
    &design_for_failure::sigterm_ignored::RULE,
    &design_for_failure::panic_in_handler::RULE,
    &design_for_failure::liveness_calls_dependency::RULE,
    &design_for_failure::panic_abort_defeats_catch::RULE,
    &small_services::service_depends_on_service::RULE,
    &small_services::call_in_loop::RULE,
    &lightweight_protocols::unversioned_api::RULE,
    &lightweight_protocols::body_limit_off::RULE,
    &service_discovery::hardcoded_endpoint::RULE,
    &service_discovery::localhost_default::RULE,
    &data_ownership::shared_database::RULE,
    &resiliency_patterns::http_client_without_timeout::RULE,
    &resiliency_patterns::server_without_timeout::RULE,
    &resiliency_patterns::blocking_in_async::RULE,
    &security::tls_verification_off::RULE,
    &security::permissive_cors::RULE,
    &security::hardcoded_secret::RULE,
    &security::secret_logged::RULE,
    &security::sql_from_format::RULE,
    &security::own_crypto::RULE,
    &centralized_logging::print_instead_of_log::RULE,
    &containers::no_container_image::RULE,
    &containers::no_health_check::RULE,
    &containers::unpinned_base_image::RULE,
    &containers::no_probes::RULE,
];

//! The rules: one folder a practice, one file a rule, one list. Pure: model in, diagnostics out.

pub mod centralized_logging;
mod chosen;
pub mod containers;
pub mod data_ownership;
pub mod design_for_failure;
mod edge;
pub mod given;
mod images;
pub mod libraries;
pub mod lightweight_protocols;
mod marks;
mod paths;
pub mod resiliency_patterns;
pub mod security;
pub mod service_discovery;
pub mod small_services;
mod time_limit;
mod values;
mod words;

use crate::lint::Rule;

/// Every rule, in code order.
pub static ALL: &[&Rule] = &[
    &design_for_failure::no_graceful_shutdown::RULE,
    &design_for_failure::sigterm_ignored::RULE,
    &design_for_failure::panic_in_handler::RULE,
    &design_for_failure::liveness_calls_dependency::RULE,
    &design_for_failure::startup_needs_dependency::RULE,
    &design_for_failure::no_circuit_breaker::RULE,
    &design_for_failure::no_bulkhead::RULE,
    &design_for_failure::single_replica::RULE,
    &design_for_failure::panic_abort_defeats_catch::RULE,
    &small_services::shared_domain_library::RULE,
    &small_services::service_depends_on_service::RULE,
    &small_services::call_in_loop::RULE,
    &lightweight_protocols::unversioned_api::RULE,
    &lightweight_protocols::body_limit_off::RULE,
    &service_discovery::hardcoded_endpoint::RULE,
    &service_discovery::localhost_default::RULE,
    &service_discovery::manual_configuration::RULE,
    &service_discovery::no_gateway::RULE,
    &service_discovery::grpc_not_balanced::RULE,
    &data_ownership::shared_database::RULE,
    &data_ownership::shared_table::RULE,
    &data_ownership::foreign_table_read::RULE,
    &data_ownership::cross_owner_foreign_key::RULE,
    &data_ownership::foreign_migration::RULE,
    &data_ownership::unsafe_migration::RULE,
    &data_ownership::dual_write::RULE,
    &data_ownership::shared_credentials::RULE,
    &data_ownership::replica_local_state::RULE,
    &resiliency_patterns::http_client_without_timeout::RULE,
    &resiliency_patterns::grpc_client_without_timeout::RULE,
    &resiliency_patterns::grpc_client_without_keepalive::RULE,
    &resiliency_patterns::pool_wait_outlives_request::RULE,
    &resiliency_patterns::pool_waits_forever::RULE,
    &resiliency_patterns::redis_without_timeout::RULE,
    &resiliency_patterns::tcp_connect_without_timeout::RULE,
    &resiliency_patterns::server_without_timeout::RULE,
    &resiliency_patterns::unbounded_queue::RULE,
    &resiliency_patterns::unbounded_fan_out::RULE,
    &resiliency_patterns::naive_retry::RULE,
    &resiliency_patterns::retry_of_unsafe_request::RULE,
    &resiliency_patterns::blocking_in_async::RULE,
    &resiliency_patterns::client_per_request::RULE,
    &resiliency_patterns::no_rate_limit::RULE,
    &resiliency_patterns::no_load_shedding::RULE,
    &resiliency_patterns::unbounded_cache::RULE,
    &resiliency_patterns::consumer_without_prefetch::RULE,
    &resiliency_patterns::drain_outlives_grace::RULE,
    &resiliency_patterns::limit_per_connection::RULE,
    &resiliency_patterns::no_header_read_timeout::RULE,
    &resiliency_patterns::shed_inside_limit::RULE,
    &resiliency_patterns::broker_connect_without_timeout::RULE,
    &resiliency_patterns::blocking_file_io_in_async::RULE,
    &security::tls_verification_off::RULE,
    &security::permissive_cors::RULE,
    &security::hardcoded_secret::RULE,
    &security::secret_logged::RULE,
    &security::sql_from_format::RULE,
    &security::plaintext_between_services::RULE,
    &security::unauthenticated_route::RULE,
    &security::container_as_root::RULE,
    &security::no_network_policy::RULE,
    &security::secret_in_image::RULE,
    &security::own_crypto::RULE,
    &centralized_logging::print_instead_of_log::RULE,
    &centralized_logging::log_to_local_file::RULE,
    &centralized_logging::no_subscriber::RULE,
    &centralized_logging::unstructured_logs::RULE,
    &centralized_logging::no_metrics::RULE,
    &centralized_logging::trace_context_dropped::RULE,
    &centralized_logging::no_request_span::RULE,
    &centralized_logging::otlp_never_exports::RULE,
    &containers::no_container_image::RULE,
    &containers::several_services_in_one_container::RULE,
    &containers::no_health_check::RULE,
    &containers::unpinned_base_image::RULE,
    &containers::single_stage_image::RULE,
    &containers::shell_form_command::RULE,
    &containers::entrypoint_names_no_binary::RULE,
    &containers::toolchain_drift::RULE,
    &containers::unlocked_build::RULE,
    &containers::no_probes::RULE,
    &containers::no_resource_limits::RULE,
    &containers::no_ci::RULE,
];

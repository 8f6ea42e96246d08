//! One stream of structured events, in one place for all services.

pub mod log_to_local_file;
pub mod no_metrics;
pub mod no_request_span;
pub mod no_subscriber;
pub mod otlp_never_exports;
pub mod print_instead_of_log;
mod setup;
pub mod trace_context_dropped;
pub mod unstructured_logs;

//! One stream of structured events, in one place for all services.

pub mod log_to_local_file;
pub mod no_subscriber;
pub mod print_instead_of_log;
mod setup;
pub mod unstructured_logs;

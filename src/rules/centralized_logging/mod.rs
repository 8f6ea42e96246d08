//! One stream of structured events, in one place for all services.

pub mod print_instead_of_log;

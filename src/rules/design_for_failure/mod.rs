//! Practice 1: design for failure.

pub mod liveness_calls_dependency;
pub mod no_bulkhead;
pub mod no_circuit_breaker;
pub mod no_graceful_shutdown;
pub mod panic_abort_defeats_catch;
pub mod panic_in_handler;
pub mod sigterm_ignored;
pub mod single_replica;
pub mod startup_needs_dependency;

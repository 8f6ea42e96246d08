//! Practice 1: design for failure.

pub mod no_graceful_shutdown;
pub mod sigterm_ignored;

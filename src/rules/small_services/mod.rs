//! Practice 2: build small services.

pub mod call_in_loop;
pub mod service_depends_on_service;
pub mod shared_domain_library;

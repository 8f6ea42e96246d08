//! Practice 2: build small services.

pub mod service_depends_on_service;

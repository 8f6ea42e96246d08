//! Timeouts, pools, retries, limits: what keeps one slow part from stopping the rest.

pub mod blocking_in_async;
pub mod drain_outlives_grace;
pub mod http_client_without_timeout;
pub mod server_without_timeout;

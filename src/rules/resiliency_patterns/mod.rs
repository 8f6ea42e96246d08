//! Timeouts, pools, retries, limits: what keeps one slow part from stopping the rest.

pub mod blocking_in_async;
pub mod client_per_request;
pub mod consumer_without_prefetch;
mod grpc;
pub mod grpc_client_without_timeout;
pub mod http_client_without_timeout;
mod layers;
pub mod limit_per_connection;
pub mod naive_retry;
pub mod pool_wait_outlives_request;
pub mod pool_waits_forever;
pub mod redis_without_timeout;
pub mod server_without_timeout;
pub mod shed_inside_limit;

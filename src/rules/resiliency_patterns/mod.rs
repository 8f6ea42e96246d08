//! Timeouts, pools, retries, limits: what keeps one slow part from stopping the rest.

mod attempts;
pub mod blocking_file_io_in_async;
pub mod blocking_in_async;
pub mod broker_connect_without_timeout;
pub mod client_per_request;
pub mod consumer_without_prefetch;
pub mod drain_outlives_grace;
pub(in crate::rules) mod edges;
pub(in crate::rules) mod grpc;
pub mod grpc_client_without_keepalive;
pub mod grpc_client_without_timeout;
pub(in crate::rules) mod guards;
pub mod http_client_without_timeout;
pub(in crate::rules) mod http_clients;
pub(in crate::rules) mod layers;
pub mod limit_per_connection;
pub mod naive_retry;
pub mod no_header_read_timeout;
pub mod no_load_shedding;
pub mod no_rate_limit;
pub mod pool_wait_outlives_request;
pub mod pool_waits_forever;
pub mod redis_without_timeout;
pub(in crate::rules) mod requests;
pub mod retry_of_unsafe_request;
pub mod server_without_timeout;
pub mod shed_inside_limit;
pub mod tcp_connect_without_timeout;
pub mod unbounded_cache;
pub mod unbounded_fan_out;
pub mod unbounded_queue;

pub use requests::is_rpc;

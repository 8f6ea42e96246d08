//! The services that this one calls, each with what it needs of it, through timeouts, retries, a circuit breaker, a
//! bulkhead and a fallback of its own: see `chassis_outbound`.

//% for callee in calls
pub mod example_callee;
//% endfor

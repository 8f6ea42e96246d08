//! Calls to other services, through one stack for each of them. Outermost first:
//!
//! 1. [`fallback`]: the last good answer when there is no new one;
//! 2. total timeout;
//! 3. bulkhead: so many calls at once and no queue, so that one slow dependency cannot take every caller with it;
//! 4. [`retry`], inside a budget;
//! 5. [`circuit_breaker`], which sees every attempt;
//! 6. attempt timeout, inside the breaker so that it counts as a failure;
//! 7. metrics and trace context for each attempt;
//! 8. [`balancer`] over the addresses that [`chassis_discovery`] finds.
//!
//! `dependency` puts them together, with the numbers of `limits`.

mod attempt;
pub mod balancer;
mod call_error;
pub mod circuit_breaker;
mod dependency;
pub mod fallback;
mod limits;
mod metrics;
pub mod retry;

use std::pin::Pin;

use tower::BoxError;

pub use call_error::{CallError, Words};
pub use dependency::{Answer, Dependency};
pub use limits::Outbound;

/// What a layer of the stack returns.
pub type CallFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

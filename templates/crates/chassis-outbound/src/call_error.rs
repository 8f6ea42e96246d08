//! Why there is no answer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Response, StatusCode};
use bytes::Bytes;
use chassis::problem::Problem;
use tower::BoxError;

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no answer in time")]
    TimedOut,
    #[error("too many calls in flight")]
    Overloaded,
    #[error("left alone for {retry_in:?} after too many failures")]
    CircuitOpen { retry_in: Duration },
    #[error("cannot be reached")]
    Unreachable(#[source] BoxError),
    #[error("the connection failed")]
    Broken(#[source] BoxError),
    #[error("the answer is larger than `response_limit_bytes`")]
    TooLarge,
    #[error("answered {0}")]
    Refused(StatusCode),
    /// The called service's own words, and what they are in HTTP's.
    #[error("answered {words}")]
    Said { status: StatusCode, words: Words },
    #[error("the answer is not what was expected")]
    Unreadable(#[source] serde_json::Error),
    #[error("the token cannot be read")]
    Token(#[source] std::io::Error),
}

/// What a called service says of its refusal, where its protocol has words for that. In the extensions of its answer.
#[derive(Clone, Debug)]
pub struct Words(pub Arc<dyn Error + Send + Sync>);

impl std::fmt::Display for Words {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl CallError {
    pub(crate) fn refused(mut answer: Response<Bytes>) -> Self {
        let status = answer.status();
        match answer.extensions_mut().remove() {
            Some(words) => Self::Said { status, words },
            None => Self::Refused(status),
        }
    }
}

/// What counts against a dependency: it is not there, too slow or broken. A refusal of this very request is none.
pub(crate) fn is_failure(result: &Result<Response<Bytes>, BoxError>) -> bool {
    result
        .as_ref()
        .map_or(true, |answer| answer.status().is_server_error())
}

/// The layers' own errors in this crate's words.
pub(crate) fn call_error(error: BoxError) -> CallError {
    if error.is::<tower::timeout::error::Elapsed>() {
        return CallError::TimedOut;
    }
    if error.is::<tower::load_shed::error::Overloaded>() {
        return CallError::Overloaded;
    }
    error
        .downcast()
        .map_or_else(CallError::Broken, |error| *error)
}

/// A caller learns that a dependency is missing, not which or why: that is in the log.
impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::TimedOut => Self::new(StatusCode::GATEWAY_TIMEOUT),
            CallError::CircuitOpen { retry_in } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(seconds(retry_in))
            }
            CallError::Overloaded | CallError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(1)
            }
            CallError::Broken(_)
            | CallError::TooLarge
            | CallError::Refused(_)
            | CallError::Said { .. }
            | CallError::Unreadable(_)
            | CallError::Token(_) => Self::new(StatusCode::BAD_GATEWAY),
        }
    }
}

/// Rounded up.
fn seconds(duration: Duration) -> u32 {
    duration
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u32::MAX)
}

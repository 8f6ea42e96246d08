use std::sync::Arc;

use axum::http::StatusCode;

use crate::guard::CircuitBreaker as Guard;

pub struct Failed(pub reqwest::Error);

impl From<Failed> for StatusCode {
    fn from(failed: Failed) -> Self {
        if failed.0.is_timeout() { Self::GATEWAY_TIMEOUT } else { Self::BAD_GATEWAY }
    }
}

/// Nobody asks it yet.
pub fn guarded(guard: &Arc<Guard>) -> Result<(), StatusCode> {
    guard.lets_through().then_some(()).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

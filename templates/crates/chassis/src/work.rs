//! Work that no request asks for: a message that is handled. What it logs and whom it calls are part of the trace that
//! the message came from.

use std::sync::Arc;

use crate::trace_context::TraceContext;

tokio::task_local! {
    static CURRENT: Arc<Work>;
}

/// What every log line of it says, and what it hands on to the services that it calls.
#[derive(Clone, Debug)]
pub struct Work {
    pub trace: TraceContext,
    /// Whose event it is.
    pub source: String,
    pub message_id: String,
    pub message_type: String,
}

/// Does `doing` as part of it.
pub async fn within<F: Future>(work: Arc<Work>, doing: F) -> F::Output {
    CURRENT.scope(work, doing).await
}

/// Looks at the work that is being done here. A spawned task is part of none.
pub fn with_current<T>(look: impl FnOnce(&Work) -> T) -> Option<T> {
    CURRENT.try_with(|work| look(work)).ok()
}

//! The message that is being handled. What is logged meanwhile and who is called are part of the trace that the message came
//! from.

use std::sync::Arc;

use crate::trace_context::TraceContext;

tokio::task_local! {
    static CURRENT: Arc<MessageContext>;
}

/// What every log line of it says, and what it hands on to the services that it calls.
#[derive(Clone, Debug)]
pub struct MessageContext {
    pub trace: TraceContext,
    /// Whose event it is.
    pub source: String,
    pub id: String,
    pub kind: String,
}

/// Handles a message.
pub async fn handling<F: Future>(message: Arc<MessageContext>, work: F) -> F::Output {
    CURRENT.scope(message, work).await
}

/// Looks at the message that is being handled here. A spawned task is part of none.
pub fn with_current<T>(look: impl FnOnce(&MessageContext) -> T) -> Option<T> {
    CURRENT.try_with(|message| look(message)).ok()
}

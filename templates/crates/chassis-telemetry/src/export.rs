//! What is told to whoever exports telemetry: nobody, unless the service sets somebody up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::message::MessageContext;
use crate::request::RequestContext;
use crate::trace_context::TraceContext;

static EXPORTER: OnceLock<Box<dyn Exporter>> = OnceLock::new();

/// Takes what has happened, and never waits.
pub trait Exporter: Send + Sync {
    /// Whether the spans of a new part of this trace are exported, given what the caller decided.
    fn is_sampled(&self, trace_id: u128, caller: Option<bool>) -> bool;

    /// A piece of work of a trace that is exported has just ended.
    fn finished(&self, span: Span);

    /// A line has been logged.
    fn logged(&self, line: &[u8]);

    /// Waits until all is sent, for a moment at most.
    fn flush(&self);
}

/// A piece of work that has ended.
pub struct Span {
    pub trace: TraceContext,
    pub took: Duration,
    pub work: Work,
}

pub enum Work {
    /// A request was answered.
    Answer {
        request: Arc<RequestContext>,
        status: StatusCode,
    },
    /// A call by gRPC was answered.
    Rpc {
        request: Arc<RequestContext>,
        code: i32,
        /// What a REST service would have answered.
        status: StatusCode,
    },
    /// Another service was called, once. Without an answer there is a word for why.
    Call {
        dependency: &'static str,
        method: Method,
        outcome: Result<StatusCode, &'static str>,
    },
    /// A message was handled, or not; a word for how.
    Message {
        message: Arc<MessageContext>,
        outcome: &'static str,
    },
}

/// Exports from now on. A second exporter changes nothing.
pub fn set_up(exporter: impl Exporter + 'static) {
    _ = EXPORTER.set(Box::new(exporter));
}

/// Without anybody else to decide, what the caller decided; a trace that begins here is exported.
pub fn is_sampled(trace_id: u128, caller: Option<bool>) -> bool {
    match EXPORTER.get() {
        Some(exporter) => exporter.is_sampled(trace_id, caller),
        None => caller.unwrap_or(true),
    }
}

/// A piece of work has just ended.
pub fn finished(trace: TraceContext, took: Duration, work: impl FnOnce() -> Work) {
    if let Some(exporter) = EXPORTER.get()
        && trace.sampled
    {
        let work = work();
        exporter.finished(Span { trace, took, work });
    }
}

/// A line has been logged.
pub fn logged(line: &[u8]) {
    if let Some(exporter) = EXPORTER.get() {
        exporter.logged(line);
    }
}

/// Waits until all is sent, for a moment at most.
pub fn flush() {
    if let Some(exporter) = EXPORTER.get() {
        exporter.flush();
    }
}

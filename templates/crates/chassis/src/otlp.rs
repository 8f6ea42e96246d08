//! Traces and logs for a central store: sent by OTLP over HTTP, in its JSON form, to whatever receives it, such as an
//! OpenTelemetry collector. Off unless the environment says where to, in the variables that all OpenTelemetry programs
//! know: see `settings`.
//!
//! Requests only leave word of what they did. A thread of its own encodes and sends it, so that a receiver which is slow
//! or gone costs no request anything: see `queue`.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use axum::http::{Method, StatusCode};

use crate::config::{ConfigError, invalid};
use crate::request::RequestContext;
use crate::trace_context::TraceContext;
use crate::{Error, Identity};
use queue::{Batch, Queue};
use records::{Lines, Span, Spans, Work};
use settings::{Sampler, Settings};

mod queue;
mod records;
mod settings;

/// The end of the process waits for the receiver for so long at most.
pub const PATIENCE: Duration = Duration::from_secs(2);

static EXPORTER: OnceLock<Arc<Exporter>> = OnceLock::new();

struct Exporter {
    spans: Option<Queue<Spans>>,
    lines: Option<Queue<Lines>>,
    sampler: Sampler,
}

/// Exports from now on, if the environment says where to. `variable` looks one of its variables up.
pub fn start(
    service: &Identity,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let Some(settings) = Settings::read(service, variable)? else {
        return Ok(());
    };
    let exporter = Exporter::start(settings)
        .map_err(|error| invalid(settings::ENDPOINT, format!("cannot be used: {error}")))?;
    // A second start changes nothing.
    _ = EXPORTER.set(exporter);
    Ok(())
}

/// Whether the spans of a new part of this trace are exported, given what the caller decided.
pub fn is_sampled(trace_id: u128, caller: Option<bool>) -> bool {
    EXPORTER
        .get()
        .map_or(Sampler::default(), |exporter| exporter.sampler)
        .decide(trace_id, caller)
}

/// A request has been answered.
pub fn answered(request: &Arc<RequestContext>, status: StatusCode, took: Duration) {
    finished(request.trace, took, || Work::Answer {
        request: request.clone(),
        status,
    });
}

/// A call by gRPC has been answered.
#[cfg(feature = "grpc-server")]
pub fn handled(request: &Arc<RequestContext>, code: tonic::Code, took: Duration) {
    finished(request.trace, took, || Work::Rpc {
        request: request.clone(),
        code,
    });
}

/// A message has been handled, or not; a word for how.
pub fn consumed(message: &Arc<crate::work::Work>, outcome: &'static str, took: Duration) {
    finished(message.trace, took, || Work::Message {
        message: message.clone(),
        outcome,
    });
}

/// Another service has been called, once.
pub fn called(
    trace: TraceContext,
    dependency: &'static str,
    method: &Method,
    outcome: Result<StatusCode, &'static str>,
    took: Duration,
) {
    finished(trace, took, || Work::Call {
        dependency,
        method: method.clone(),
        outcome,
    });
}

fn finished(trace: TraceContext, took: Duration, work: impl FnOnce() -> Work) {
    if let Some(exporter) = EXPORTER.get()
        && let Some(spans) = &exporter.spans
        && trace.sampled
    {
        spans.push(Span {
            trace,
            ended: SystemTime::now(),
            took,
            work: work(),
        });
    }
}

/// A line has been logged.
pub fn logged(line: &[u8]) {
    if let Some(exporter) = EXPORTER.get()
        && let Some(lines) = &exporter.lines
    {
        lines.push((SystemTime::now(), line));
    }
}

/// Waits until all is sent, for a moment at most.
pub fn flush() {
    if let Some(exporter) = EXPORTER.get() {
        exporter.flush();
    }
}

impl Exporter {
    fn start(settings: Settings) -> Result<Arc<Self>, Error> {
        let exporter = Arc::new(Self {
            spans: settings.traces.map(Queue::new).transpose()?,
            lines: settings.logs.map(Queue::new).transpose()?,
            sampler: settings.sampler,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let running = exporter.clone();
        let resource = settings.resource;
        thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                let spans = export(running.spans.as_ref(), &resource);
                let lines = export(running.lines.as_ref(), &resource);
                runtime.block_on(async { tokio::join!(spans, lines) })
            })?;
        Ok(exporter)
    }

    fn flush(&self) {
        let until = Instant::now() + PATIENCE;
        // A receiver of traces that is silent must not cost the logs their time.
        self.spans.iter().for_each(Queue::hurry);
        self.lines.iter().for_each(Queue::hurry);
        self.spans.iter().for_each(|spans| spans.wait(until));
        self.lines.iter().for_each(|lines| lines.wait(until));
    }
}

async fn export<B: Batch>(queue: Option<&Queue<B>>, resource: &[(String, String)]) {
    if let Some(queue) = queue {
        queue.export(resource).await;
    }
}

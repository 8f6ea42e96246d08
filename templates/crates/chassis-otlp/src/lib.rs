//! Traces and logs for a central store: sent by OTLP over HTTP, in its JSON form, to whatever receives it, such as an
//! OpenTelemetry collector. Off unless the environment says where to, in the variables that all OpenTelemetry programs
//! know: see `settings`.
//!
//! Requests only leave word of what they did. A thread of its own encodes and sends it, so that a receiver which is slow
//! or gone costs no request anything: see `queue`.

mod queue;
mod records;
mod settings;

use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use chassis::config::{ConfigError, LAST_TELEMETRY, invalid};
use chassis::{Error, Identity};
use chassis_http_client::Maker;
use chassis_telemetry::export::{Exporter, Span, set_up};

use queue::{Batch, Queue};
use records::{Lines, Spans};
use settings::{Sampler, Settings};

/// Exports from now on, if the environment says where to. `client` speaks to the receiver.
pub fn start(service: &Identity, client: Maker) -> Result<(), ConfigError> {
    start_as(service, client, |name| std::env::var(name).ok())
}

/// Likewise; `variable` looks a variable of the environment up.
pub fn start_as(
    service: &Identity,
    client: Maker,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let Some(settings) = Settings::read(service, variable)? else {
        return Ok(());
    };
    let exporter = Otlp::start(settings, client)
        .map_err(|error| invalid(settings::ENDPOINT, format!("cannot be used: {error}")))?;
    set_up(exporter);
    Ok(())
}

struct Otlp {
    queues: Arc<Queues>,
    sampler: Sampler,
}

struct Queues {
    spans: Option<Queue<Spans>>,
    lines: Option<Queue<Lines>>,
}

impl Otlp {
    fn start(settings: Settings, client: Maker) -> Result<Self, Error> {
        let queues = Arc::new(Queues {
            spans: settings
                .traces
                .map(|target| Queue::new(target, client))
                .transpose()?,
            lines: settings
                .logs
                .map(|target| Queue::new(target, client))
                .transpose()?,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sent = queues.clone();
        let resource = settings.resource;
        thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                let spans = export(sent.spans.as_ref(), &resource);
                let lines = export(sent.lines.as_ref(), &resource);
                runtime.block_on(async { tokio::join!(spans, lines) })
            })?;
        let sampler = settings.sampler;
        Ok(Self { queues, sampler })
    }
}

impl Exporter for Otlp {
    fn is_sampled(&self, trace_id: u128, caller: Option<bool>) -> bool {
        self.sampler.decide(trace_id, caller)
    }

    fn finished(&self, span: Span) {
        if let Some(spans) = &self.queues.spans {
            spans.push((SystemTime::now(), span));
        }
    }

    fn logged(&self, line: &[u8]) {
        if let Some(lines) = &self.queues.lines {
            lines.push((SystemTime::now(), line));
        }
    }

    fn flush(&self) {
        let until = Instant::now() + LAST_TELEMETRY;
        let Queues { spans, lines } = &*self.queues;
        // A receiver of traces that is silent must not cost the logs their time.
        spans.iter().for_each(Queue::hurry);
        lines.iter().for_each(Queue::hurry);
        spans.iter().for_each(|spans| spans.wait(until));
        lines.iter().for_each(|lines| lines.wait(until));
    }
}

async fn export<B: Batch>(queue: Option<&Queue<B>>, resource: &[(String, String)]) {
    if let Some(queue) = queue {
        queue.export(resource).await;
    }
}

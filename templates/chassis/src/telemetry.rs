//! Central logging: one JSON line per event on standard output, for the platform to collect. Every line says which
//! service and version wrote it; a line written during a request also carries its `request_id`, `trace_id`, `span_id`.

use std::fmt;
use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Identity;
use crate::config::{ConfigError, Log, invalid};

/// Starts logging for the whole process, panics included.
pub fn init(service: &Identity, log: &Log) -> Result<(), ConfigError> {
    let levels: Targets = log.level.parse().map_err(|error| {
        invalid(
            "log.level",
            format!("({:?}) is no level or list of levels: {error}", log.level),
        )
    })?;
    tracing_subscriber::registry()
        .with(
            JsonLines {
                service: *service,
                out: std::io::stdout,
            }
            .with_filter(levels),
        )
        .try_init()
        .map_err(|error| invalid("log", format!("cannot be set up: {error}")))?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "{}", panic.payload_as_str().unwrap_or("panic"));
    }));
    Ok(())
}

/// Writes events as JSON lines to what `out` opens.
pub struct JsonLines<O> {
    pub service: Identity,
    pub out: O,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    service: &'a str,
    version: &'a str,
    target: &'a str,
    message: Option<Value>,
    #[serde(flatten)]
    fields: Fields,
}

/// What a span or an event carries, by name.
#[derive(Clone, Default, Serialize)]
struct Fields(Map<String, Value>);

impl<S, O, W> Layer<S> for JsonLines<O>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    O: Fn() -> W + 'static,
    W: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        event.record(&mut fields);
        let line = Line {
            timestamp: now(),
            level: event.metadata().level().as_str(),
            service: self.service.name,
            version: self.service.version,
            target: event.metadata().target(),
            message: fields.0.remove("message"),
            fields,
        };
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            // There is no other place to say that standard output is gone.
            _ = (self.out)().write_all(&bytes);
        }
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            // Keys of the line itself.
            "timestamp" | "level" | "service" | "version" | "target" => {
                format!("field_{}", field.name())
            }
            name => name.to_owned(),
        };
        self.0.insert(name, value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.set(field, text);
    }
}

/// UTC, RFC 3339, microseconds.
fn now() -> String {
    let mut text = String::with_capacity(27);
    _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_that_says_who_and_in_which_request() {
        let captured = Captured::default();
        let service = Identity {
            name: "probe",
            version: "1.2.3",
            env_prefix: "PROBE",
        };
        let out = captured.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines {
            service,
            out: move || out.clone(),
        });
        tracing::subscriber::with_default(subscriber, || {
            let span =
                tracing::info_span!("request", request_id = "r-1", late = tracing::field::Empty);
            span.record("late", 7);
            span.in_scope(|| tracing::warn!(level = "mine", "two\nlines"));
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        for (key, value) in [
            ("level", "WARN"),
            ("service", "probe"),
            ("version", "1.2.3"),
            ("request_id", "r-1"),
            ("message", "two\nlines"),
            ("field_level", "mine"),
        ] {
            assert_eq!(line[key], value, "{text}");
        }
        assert_eq!(line["late"], 7);
    }
}

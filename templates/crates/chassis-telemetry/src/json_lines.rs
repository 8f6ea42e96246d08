//! One JSON line per event. Every line says which service and version wrote it; a line written during a request also says
//! which request, trace and span it belongs to.

use std::cell::Cell;
use std::fmt;

use chassis::Identity;
use serde::{Serialize, Serializer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::message::{self, MessageContext};
use crate::request::{self, RequestContext};
use crate::trace_context::{TraceContext, hex};

/// Writes events as JSON lines.
pub struct JsonLines<W> {
    /// The part that is the same in every line.
    identity: String,
    write: W,
}

/// A line in the making, and the names of the fields that it has already.
#[derive(Default)]
struct Line {
    text: Vec<u8>,
    names: Vec<&'static str>,
}

/// What a span carries: names with JSON values.
#[derive(Default)]
struct SpanFields(Vec<(&'static str, Vec<u8>)>);

impl<W: Fn(&[u8])> JsonLines<W> {
    /// `write` takes a whole line.
    pub fn new(service: &Identity, write: W) -> Self {
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let (name, version) = (json(service.name), json(service.version));
        Self {
            identity: format!(",\"service\":{name},\"version\":{version}"),
            write,
        }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = SpanFields::default();
            attributes.record(&mut Json(&mut fields));
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut Json(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        thread_local! {
            static LINE: Cell<Line> = Cell::default();
        }
        // Taken, not borrowed: what is logged may log.
        let mut line = LINE.take();
        line.text.clear();
        line.names.clear();
        let text = &mut line.text;
        text.extend_from_slice(b"{\"timestamp\":\"");
        _ = SystemTime.format_time(&mut Writer::new(&mut Utf8(text)));
        text.extend_from_slice(b"\",\"level\":\"");
        text.extend_from_slice(event.metadata().level().as_str().as_bytes());
        text.push(b'"');
        text.extend_from_slice(self.identity.as_bytes());
        line.add("target", event.metadata().target());
        event.record(&mut Json(&mut line));
        // The innermost span first: what it says wins.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.add_missing(fields);
            }
        }
        request::with_current(|request| line.add_request(request));
        message::with_current(|message| line.add_message(message));
        line.text.extend_from_slice(b"}\n");
        (self.write)(&line.text);
        LINE.set(line);
    }
}

impl Line {
    fn key(&mut self, name: &str) {
        self.text.extend_from_slice(b",\"");
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    fn field(&mut self, name: &'static str) {
        match name {
            // Keys of the line itself.
            "timestamp" | "level" | "service" | "version" | "target" | "request_id"
            | "trace_id" | "span_id" | "method" | "path" | "route" | "message_id"
            | "message_type" | "message_source" => {
                self.key(&format!("field_{name}"));
            }
            _ => self.key(name),
        }
        self.names.push(name);
    }

    fn add(&mut self, name: &str, value: &str) {
        self.key(name);
        json(&mut self.text, value);
    }

    fn add_digits(&mut self, name: &str, digits: &[u8]) {
        self.key(name);
        self.text.push(b'"');
        self.text.extend_from_slice(digits);
        self.text.push(b'"');
    }

    fn add_missing(&mut self, fields: &[(&'static str, Vec<u8>)]) {
        for (name, value) in fields {
            if !self.names.contains(name) {
                self.field(name);
                self.text.extend_from_slice(value);
            }
        }
    }

    fn add_request(&mut self, request: &RequestContext) {
        self.add("request_id", request.id.to_str().unwrap_or_default());
        self.add_trace(request.trace);
        self.add("method", request.method.as_str());
        self.add("path", request.uri.path());
        self.add("route", request.route());
    }

    fn add_message(&mut self, message: &MessageContext) {
        self.add("message_id", &message.id);
        self.add_trace(message.trace);
        self.add("message_type", &message.kind);
        self.add("message_source", &message.source);
    }

    fn add_trace(&mut self, trace: TraceContext) {
        self.add_digits("trace_id", &hex(trace.trace_id));
        self.add_digits("span_id", &hex(trace.span_id.into())[16..]);
    }
}

/// Where fields go.
trait Fields {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T);
}

impl Fields for Line {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.field(name);
        json(&mut self.text, value);
    }
}

impl Fields for SpanFields {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        let mut text = Vec::new();
        json(&mut text, value);
        // A value that is recorded later takes the place of the one before it.
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, text));
    }
}

fn json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    let start = text.len();
    if serde_json::to_writer(&mut *text, value).is_err() {
        text.truncate(start);
        text.extend_from_slice(b"null");
    }
}

struct Json<'a, F>(&'a mut F);

impl<F: Fields> Visit for Json<'_, F> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.put(field.name(), &Debugged(value));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.put(field.name(), value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.put(field.name(), &value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.put(field.name(), &value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.put(field.name(), &value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.put(field.name(), &value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.record_str(field, &text);
    }
}

/// A value as it is written for people.
struct Debugged<'a>(&'a dyn fmt::Debug);

impl Serialize for Debugged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

/// Text is written as its bytes.
struct Utf8<'a>(&'a mut Vec<u8>);

impl fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// The lines that are written while `act` runs.
    fn written(act: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let service = Identity {
            name: "probe",
            version: "1.2.3",
            env_prefix: "PROBE",
        };
        let out = lines.clone();
        let layer = JsonLines::new(&service, move |line: &[u8]| {
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let line = serde_json::from_slice(line).expect("a line is JSON");
            out.lock().unwrap().push(line);
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn an_event_is_one_line_that_says_who_and_where() {
        let lines = written(|| {
            let span = tracing::info_span!("job", job = 1, late = tracing::field::Empty);
            span.record("late", 6);
            span.record("late", 7);
            let _outer = span.entered();
            let _inner = tracing::info_span!("step", job = 2).entered();
            tracing::warn!(level = "mine", ratio = f64::NAN, shown = ?"x", "two\nlines");
        });
        let [line] = &lines[..] else {
            panic!("{lines:?}")
        };
        for (key, value) in [
            ("level", "WARN"),
            ("service", "probe"),
            ("version", "1.2.3"),
            ("message", "two\nlines"),
            ("field_level", "mine"),
            ("shown", "\"x\""),
        ] {
            assert_eq!(line[key], value, "{line}");
        }
        assert_eq!((&line["late"], &line["job"]), (&7.into(), &2.into()));
        assert_eq!(line["ratio"], Value::Null);
    }
}

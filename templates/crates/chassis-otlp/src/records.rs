//! Spans and log lines, and what they are in OTLP's JSON form. Ids are hexadecimal there, and 64-bit numbers are text.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{Method, StatusCode};
use chassis_telemetry::export::{Span, Work};
use chassis_telemetry::request::METHODS;
use serde::Serialize;
use serde_json::{Map, Value};

use super::queue::Batch;

/// Pieces of work, and when each ended.
#[derive(Default)]
pub struct Spans(Vec<(SystemTime, Span)>);

impl Batch for Spans {
    type Record<'a> = (SystemTime, Span);
    const ENOUGH: usize = 512;
    const CAPACITY: usize = 2048;

    fn size(&self) -> usize {
        self.0.len()
    }

    fn records(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, span: (SystemTime, Span)) {
        self.0.push(span);
    }

    fn encode(&self, resource: &[(String, String)]) -> serde_json::Result<Vec<u8>> {
        let spans = self
            .0
            .iter()
            .map(|(ended, span)| OtlpSpan::of(*ended, span))
            .collect::<Vec<_>>();
        envelope("resourceSpans", "scopeSpans", "spans", resource, &spans)
    }
}

/// Log lines, one after the other, and when each was written.
#[derive(Default)]
pub struct Lines {
    text: Vec<u8>,
    times: Vec<SystemTime>,
}

impl Batch for Lines {
    type Record<'a> = (SystemTime, &'a [u8]);
    const ENOUGH: usize = 256 * 1024;
    const CAPACITY: usize = 2 * 1024 * 1024;

    fn size(&self) -> usize {
        self.text.len()
    }

    fn records(&self) -> usize {
        self.times.len()
    }

    fn push(&mut self, (time, line): (SystemTime, &[u8])) {
        self.times.push(time);
        self.text.extend_from_slice(line);
    }

    fn encode(&self, resource: &[(String, String)]) -> serde_json::Result<Vec<u8>> {
        let lines = self.text.split_inclusive(|byte| *byte == b'\n');
        let records = lines.zip(&self.times);
        let records = records.map(|(line, time)| OtlpLogRecord::of(line, *time));
        let records = records.collect::<Vec<_>>();
        envelope(
            "resourceLogs",
            "scopeLogs",
            "logRecords",
            resource,
            &records,
        )
    }
}

/// What goes around the records of one service.
fn envelope<T: Serialize>(
    outer: &str,
    middle: &str,
    inner: &str,
    resource: &[(String, String)],
    records: &[T],
) -> serde_json::Result<Vec<u8>> {
    let attributes: Vec<_> = resource
        .iter()
        .map(|(key, value)| text(key, value))
        .collect();
    let attributes = serde_json::to_string(&attributes)?;
    let records = serde_json::to_string(records)?;
    let scope = r#"{"name":"chassis"}"#;
    Ok(format!(
        r#"{{"{outer}":[{{"resource":{{"attributes":{attributes}}},"{middle}":[{{"scope":{scope},"{inner}":{records}}}]}}]}}"#
    )
    .into_bytes())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    flags: u32,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    status: Status,
}

#[derive(Default, Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpLogRecord {
    time_unix_nano: String,
    observed_time_unix_nano: String,
    severity_number: u8,
    severity_text: String,
    body: AnyValue<'static>,
    attributes: Vec<Attribute<'static>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    trace_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    span_id: String,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: Cow<'a, str>,
    value: AnyValue<'a>,
}

#[derive(Serialize)]
enum AnyValue<'a> {
    #[serde(rename = "stringValue")]
    String(Cow<'a, str>),
    #[serde(rename = "boolValue")]
    Bool(bool),
    #[serde(rename = "intValue")]
    Int(String),
    #[serde(rename = "doubleValue")]
    Double(f64),
}

fn is_rpc(work: &Work) -> bool {
    matches!(work, Work::Rpc { .. })
}

impl<'a> OtlpSpan<'a> {
    fn of(ended: SystemTime, span: &'a Span) -> Self {
        const SERVER: u8 = 2;
        const CLIENT: u8 = 3;
        const CONSUMER: u8 = 5;
        const ERROR: u8 = 2;
        let trace = span.trace;
        let (kind, method, target, outcome) = match &span.work {
            Work::Answer { request, status }
            | Work::Rpc {
                request, status, ..
            } => (
                SERVER,
                Some(&request.method),
                request.matched_route(),
                Ok(*status),
            ),
            Work::Call {
                dependency,
                method,
                outcome,
            } => (CLIENT, Some(method), Some(*dependency), *outcome),
            Work::Message { message, outcome } => (
                CONSUMER,
                None,
                Some(&*message.source),
                match *outcome {
                    "handled" | "duplicate" => Ok(StatusCode::OK),
                    failure => Err(failure),
                },
            ),
        };
        // Callers can make up methods, and must not make up names of spans.
        let known = method.filter(|method| METHODS.contains(method));
        let verb = match method {
            Some(_) => known.map_or("HTTP", Method::as_str),
            None => "process",
        };
        let mut attributes = vec![text(
            "http.request.method",
            known.map_or("_OTHER", Method::as_str),
        )];
        match &span.work {
            Work::Answer { request, .. } => {
                attributes.extend(target.map(|route| text("http.route", route)));
                attributes.push(text("url.path", request.uri.path()));
                let id = request.id.to_str().unwrap_or_default();
                attributes.push(text("request_id", id));
            }
            Work::Rpc { request, code, .. } => {
                let (service, method) = request.grpc_method();
                attributes = vec![
                    text("rpc.system", "grpc"),
                    text("rpc.service", service),
                    text("rpc.method", method),
                    number("rpc.grpc.status_code", *code),
                    text("request_id", request.id.to_str().unwrap_or_default()),
                ];
            }
            Work::Call { dependency, .. } => attributes.push(text("peer.service", dependency)),
            Work::Message { message, .. } => {
                attributes = vec![
                    text("messaging.operation.type", "process"),
                    text("messaging.destination.name", &message.source),
                    text("messaging.message.id", &message.id),
                ];
            }
        }
        let failure = match outcome {
            Ok(status) => {
                if matches!(span.work, Work::Answer { .. } | Work::Call { .. }) {
                    attributes.push(number("http.response.status_code", status.as_u16().into()));
                }
                // A refusal is the caller's failure, not the server's.
                let failed =
                    status.is_server_error() || (kind == CLIENT && status.is_client_error());
                failed.then(|| Cow::Owned(status.as_str().to_owned()))
            }
            Err(why) => Some(why.into()),
        };
        let status = Status {
            code: failure.is_some().then_some(ERROR),
        };
        attributes.extend(failure.map(|why| Attribute {
            key: "error.type".into(),
            value: AnyValue::String(why),
        }));
        Self {
            trace_id: format!("{:032x}", trace.trace_id),
            span_id: format!("{:016x}", trace.span_id),
            parent_span_id: trace.parent_id.map(|id| format!("{id:016x}")),
            flags: trace.sampled.into(),
            name: match target {
                Some(target) if is_rpc(&span.work) => target.trim_start_matches('/').to_owned(),
                Some(target) => format!("{verb} {target}"),
                None => verb.to_owned(),
            },
            kind,
            start_time_unix_nano: nanos(ended - span.took),
            end_time_unix_nano: nanos(ended),
            attributes,
            status,
        }
    }
}

impl OtlpLogRecord {
    /// The same fields as in the line, by the same names.
    fn of(line: &[u8], time: SystemTime) -> Self {
        let mut fields: Map<String, Value> = serde_json::from_slice(line).unwrap_or_else(|_| {
            // It must not take the whole batch with it.
            let line = String::from_utf8_lossy(line).into_owned();
            Map::from_iter([("message".to_owned(), line.into())])
        });
        // The resource says these.
        for known in ["timestamp", "service", "version"] {
            fields.remove(known);
        }
        let mut take = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let (severity_text, message) = (take("level"), take("message"));
        let (trace_id, span_id) = (take("trace_id"), take("span_id"));
        let attributes = fields.into_iter().filter_map(|(key, value)| {
            let value = match value {
                Value::Null => return None,
                Value::Bool(value) => AnyValue::Bool(value),
                Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => AnyValue::Int(whole.to_string()),
                    (None, Some(number)) => AnyValue::Double(number),
                    (None, None) => return None,
                },
                Value::String(text) => AnyValue::String(text.into()),
                other => AnyValue::String(other.to_string().into()),
            };
            let key = key.into();
            Some(Attribute { key, value })
        });
        Self {
            time_unix_nano: nanos(time),
            observed_time_unix_nano: nanos(time),
            severity_number: match severity_text.as_str() {
                "TRACE" => 1,
                "DEBUG" => 5,
                "INFO" => 9,
                "WARN" => 13,
                _ => 17,
            },
            severity_text,
            body: AnyValue::String(message.into()),
            attributes: attributes.collect(),
            trace_id,
            span_id,
        }
    }
}

fn text<'a>(key: &'a str, value: &'a str) -> Attribute<'a> {
    Attribute {
        key: key.into(),
        value: AnyValue::String(value.into()),
    }
}

fn number(key: &str, value: i32) -> Attribute<'_> {
    Attribute {
        key: key.into(),
        value: AnyValue::Int(value.to_string()),
    }
}

fn nanos(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

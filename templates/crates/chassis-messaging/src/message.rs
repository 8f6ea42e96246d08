//! What is sent. The body is JSON; all else is in headers, so that what carries messages need not read it.

use axum::http::{HeaderMap, HeaderValue};
use chassis_telemetry::trace_context::{TRACEPARENT, TraceContext, hex, long_random};
use serde::Serialize;
use serde::de::DeserializeOwned;

const ID: &str = "message-id";
const KIND: &str = "message-type";
const KEY: &str = "message-key";
const TRACE: &str = "traceparent";
/// Why a message was put aside.
pub const REASON: &str = "dead-letter-reason";
/// How often it has failed, where the broker does not count.
pub const FAILURES: &str = "message-failures";

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is known by, however often it is delivered.
    pub id: String,
    /// What has happened: `items.created`.
    pub kind: String,
    /// What it happened to. Brokers that keep an order keep it among messages of one key.
    pub key: String,
    /// The W3C trace context of the work that it came from.
    pub trace: Option<String>,
    pub body: Vec<u8>,
}

impl Message {
    /// A new one, part of the trace of the request that is being answered.
    pub fn new(kind: &str, key: impl ToString, body: &impl Serialize) -> serde_json::Result<Self> {
        let trace = TraceContext::current().and_then(|trace| {
            let mut headers = HeaderMap::new();
            trace.inject(&mut headers);
            Some(headers.get(TRACEPARENT)?.to_str().ok()?.to_owned())
        });
        Ok(Self {
            id: hex(long_random()).map(char::from).iter().collect(),
            kind: kind.to_owned(),
            key: key.to_string(),
            trace,
            body: serde_json::to_vec(body)?,
        })
    }

    /// All of it but its body.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let trace = self.trace.as_deref().map(|trace| (TRACE, trace));
        [
            (ID, &*self.id),
            (KIND, &*self.kind),
            (KEY, &*self.key),
            ("content-type", "application/json"),
        ]
        .into_iter()
        .chain(trace)
    }

    /// Reads one that was received; the error says what is wrong with it.
    pub fn received(
        header: impl Fn(&str) -> Option<String>,
        body: Vec<u8>,
    ) -> Result<Self, Malformed> {
        let given = |name| header(name).filter(|value| !value.is_empty());
        let missing = |name| format!("it has no header `{name}`");
        match (given(ID), given(KIND)) {
            (Some(id), Some(kind)) => Ok(Self {
                id,
                kind,
                key: given(KEY).unwrap_or_default(),
                trace: given(TRACE),
                body,
            }),
            (id, _) => Err(Malformed {
                problem: missing(if id.is_none() { ID } else { KIND }),
                id,
                body,
            }),
        }
    }

    /// What it says.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// Where its handling stands in the trace that it is part of.
    pub fn trace_context(&self) -> TraceContext {
        let mut headers = HeaderMap::new();
        let given = self.trace.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(trace)) = given {
            headers.insert(TRACEPARENT, trace);
        }
        TraceContext::of_request(&headers)
    }
}

/// What cannot be handled, however often it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub id: Option<String>,
    pub problem: String,
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut sent = Message::new("items.created", 7, &["tea"]).unwrap();
        sent.trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
        let headers: Vec<_> = sent.headers().collect();
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name)?;
            Some(found.1.to_owned())
        };
        let received = Message::received(header, sent.body.clone()).unwrap();
        assert_eq!(received, sent);
        assert_eq!(received.json::<Vec<String>>().unwrap(), ["tea"]);
        let here = received.trace_context();
        assert_eq!(here.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(here.parent_id, Some(0x00f0_67aa_0ba9_02b7));
    }

    #[test]
    fn a_message_that_cannot_be_told_from_others_is_malformed() {
        let nameless = Message::received(|_| None, b"{}".to_vec()).unwrap_err();
        assert_eq!(nameless.problem, "it has no header `message-id`");
        let unclear = |name: &str| (name == ID).then(|| "1".to_owned());
        let unclear = Message::received(unclear, Vec::new()).unwrap_err();
        assert_eq!(unclear.problem, "it has no header `message-type`");
    }
}

//! W3C Trace Context: the identity of the work that a request is part of, carried from service to service.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use fastrand::Rng;

use crate::{export, message, request};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Where this request stands in its trace. A handler finds it in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: u128,
    /// This service's own part of the trace.
    pub span_id: u64,
    /// The part that it was asked for by, if any.
    pub parent_id: Option<u64>,
    /// Whether its spans are exported, here and in the services that are called.
    pub sampled: bool,
}

impl TraceContext {
    /// Continues the trace that the caller names, or starts one.
    pub fn of_request(headers: &HeaderMap) -> Self {
        let caller = headers
            .get(TRACEPARENT)
            .and_then(|value| parse(value.to_str().ok()?));
        let trace_id = caller.map_or_else(long_random, |caller| caller.trace_id);
        Self {
            trace_id,
            span_id: random(),
            parent_id: caller.map(|caller| caller.span_id),
            sampled: export::is_sampled(trace_id, caller.map(|caller| caller.sampled)),
        }
    }

    /// Where the request that is being answered stands, or the message that is being handled. A spawned task is part of
    /// neither.
    pub fn current() -> Option<Self> {
        request::with_current(|request| request.trace)
            .or_else(|| message::with_current(|message| message.trace))
    }

    /// The next span of the same trace.
    pub fn child(self) -> Self {
        Self {
            span_id: random(),
            parent_id: Some(self.span_id),
            ..self
        }
    }

    /// Names this span as the parent of an outgoing request.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let flags = u8::from(self.sampled);
        let value = format!(
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        );
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

thread_local! {
    /// Seeded by the operating system, so that no two replicas choose the same ids.
    static RANDOM: RefCell<Rng> =
        RefCell::new(Rng::with_seed(RandomState::new().build_hasher().finish()));
}

/// A number that nobody else chooses. It is no secret.
pub fn random() -> u64 {
    RANDOM.with_borrow_mut(|random| random.u64(1..))
}

/// The same, twice as long.
pub fn long_random() -> u128 {
    u128::from(random()) << 64 | u128::from(random())
}

/// Lower-case hexadecimal digits.
pub fn hex(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (index, digit) in digits.iter_mut().enumerate() {
        let value = (number >> (124 - 4 * index)) as usize & 0xf;
        *digit = b"0123456789abcdef"[value];
    }
    digits
}

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Caller {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

/// Later versions may append fields; version `ff` and zero ids are invalid.
fn parse(value: &str) -> Option<Caller> {
    let mut fields = value.split('-');
    let (version, trace, parent, flags) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let shaped = [(version, 2), (trace, 32), (parent, 16), (flags, 2)]
        .iter()
        .all(|(field, length)| {
            field.len() == *length
                && field
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
    if !shaped || version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    Some(Caller {
        trace_id,
        span_id,
        sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_parent_is_continued_and_nothing_else_is() {
        let caller = |sampled| Caller {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span_id: 0x00f0_67aa_0ba9_02b7,
            sampled,
        };
        for (value, expected) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Some(caller(true)),
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                Some(caller(false)),
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new",
                Some(caller(true)),
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new",
                None,
            ),
            (
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                None,
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                None,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                None,
            ),
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                None,
            ),
            ("00-4bf9-00f067aa0ba902b7-01", None),
            ("", None),
        ] {
            assert_eq!(parse(value), expected, "{value}");
        }
    }

    #[test]
    fn the_callee_gets_this_span_as_its_parent() {
        let mut headers = HeaderMap::new();
        let here = TraceContext::of_request(&headers);
        here.inject(&mut headers);
        let there = TraceContext::of_request(&headers);
        assert_eq!(there.trace_id, here.trace_id);
        assert_ne!(there.span_id, here.span_id);
        assert_eq!(there.parent_id, Some(here.span_id));
        let sent = headers[TRACEPARENT].to_str().unwrap();
        assert!(sent.contains(&format!("-{:016x}-", here.span_id)), "{sent}");
    }
}

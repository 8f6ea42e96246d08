//! `grpc-timeout`: how long the caller waits. What is done for it after that is done for nobody.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// More digits are none of gRPC's.
const MAX_DIGITS: usize = 8;

/// The time that the caller gives. `None` when it does not say, or not in gRPC's words.
pub fn given(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > MAX_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Tells a called service how long its answer is waited for.
pub fn give(headers: &mut HeaderMap, time: Duration) {
    // Never more than there is, and the longest that can be said is a day.
    let millis = time.as_millis().min(86_400_000 - 1);
    let value = match millis {
        0 => format!("{}u", time.as_micros()),
        millis => format!("{millis}m"),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_as_it_is_written() {
        for (text, given_time) in [
            ("1S", Some(Duration::from_secs(1))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("123456789m", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
            ("1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, text.parse().unwrap());
            assert_eq!(given(&headers), given_time, "{text}");
        }
        for time in [Duration::from_millis(1500), Duration::from_micros(20)] {
            let mut headers = HeaderMap::new();
            give(&mut headers, time);
            assert_eq!(given(&headers), Some(time));
        }
        let mut headers = HeaderMap::new();
        give(&mut headers, Duration::MAX);
        assert!(given(&headers).is_some(), "a deadline that can be said");
    }
}

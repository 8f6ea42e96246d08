//! How a service is called, and what of that makes no sense.

use std::time::Duration;

use chassis::config::{ConfigError, TimeLimit, invalid, millis};
use serde::Deserialize;

use crate::retry::longest_pause;

/// How one service is called: `[calls.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    #[serde(rename = "connect_timeout_ms", deserialize_with = "millis")]
    pub connect_timeout: Duration,
    /// One attempt, its connection and its whole answer included.
    #[serde(rename = "attempt_timeout_ms", deserialize_with = "millis")]
    pub attempt_timeout: Duration,
    /// All attempts and the pauses between them.
    #[serde(rename = "total_timeout_ms", deserialize_with = "millis")]
    pub total_timeout: Duration,
    pub max_in_flight: usize,
    pub response_limit_bytes: usize,
    pub retries: u32,
    /// The longest first pause; it doubles …
    #[serde(rename = "backoff_ms", deserialize_with = "millis")]
    pub backoff: Duration,
    /// … up to this.
    #[serde(rename = "backoff_max_ms", deserialize_with = "millis")]
    pub backoff_max: Duration,
    /// Retries are at most this share of the requests …
    pub retry_budget_percent: u32,
    /// … and this many a second besides …
    pub retry_budget_per_second: u32,
    /// … in the time that lies this far back.
    #[serde(rename = "retry_budget_window_ms", deserialize_with = "millis")]
    pub retry_budget_window: Duration,
    pub breaker_failure_percent: u32,
    pub breaker_min_calls: u32,
    #[serde(rename = "breaker_window_ms", deserialize_with = "millis")]
    pub breaker_window: Duration,
    #[serde(rename = "breaker_open_ms", deserialize_with = "millis")]
    pub breaker_open: Duration,
    #[serde(rename = "breaker_open_max_ms", deserialize_with = "millis")]
    pub breaker_open_max: Duration,
    pub breaker_probes: u32,
    /// How long a good answer may stand in for a missing one.
    #[serde(rename = "stale_ms", deserialize_with = "millis")]
    pub stale: Duration,
    pub stale_entries: usize,
}

impl Outbound {
    /// Refuses numbers that contradict each other, or the limit of the work that waits for the call. `call` is the key's
    /// last part.
    pub fn check(&self, call: &str, work: TimeLimit) -> Result<(), ConfigError> {
        let key = |knob: &str| format!("calls.{call}.{knob}");
        let positive = [
            ("connect_timeout_ms", self.connect_timeout.is_zero()),
            ("attempt_timeout_ms", self.attempt_timeout.is_zero()),
            ("max_in_flight", self.max_in_flight == 0),
            ("response_limit_bytes", self.response_limit_bytes == 0),
            ("breaker_failure_percent", self.breaker_failure_percent == 0),
            ("breaker_min_calls", self.breaker_min_calls == 0),
            ("breaker_open_ms", self.breaker_open.is_zero()),
            ("breaker_probes", self.breaker_probes == 0),
        ];
        if let Some((knob, _)) = positive.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(invalid(key(knob), "must be more than 0"));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&self.retry_budget_window) {
            return Err(invalid(
                key("retry_budget_window_ms"),
                "must be 1000 to 60000",
            ));
        }
        for (knob, percent) in [
            ("breaker_failure_percent", self.breaker_failure_percent),
            ("retry_budget_percent", self.retry_budget_percent),
        ] {
            if percent > 100 {
                return Err(invalid(key(knob), "must be 100 at most"));
            }
        }
        let pauses = (0..self.retries)
            .map(|number| longest_pause(self.backoff, self.backoff_max, number))
            .sum::<Duration>();
        let needed = self.attempt_timeout * (self.retries + 1) + pauses;
        let ms = |duration: Duration| duration.as_millis();
        if self.total_timeout < needed {
            let problem = format!(
                "({} ms) is shorter than {} attempts and their pauses ({} ms): the last retry would be cut off",
                ms(self.total_timeout),
                self.retries + 1,
                ms(needed)
            );
            return Err(invalid(key("total_timeout_ms"), problem));
        }
        if work.limit < self.total_timeout {
            let problem = format!(
                "({} ms) is longer than `{}` ({} ms): nobody would wait for the answer",
                ms(self.total_timeout),
                work.key,
                ms(work.limit)
            );
            return Err(invalid(key("total_timeout_ms"), problem));
        }
        if self.breaker_window < self.attempt_timeout * 2 {
            let problem = format!(
                "({} ms) is shorter than two attempts ({} ms): timeouts would be forgotten before they count",
                ms(self.breaker_window),
                ms(self.attempt_timeout * 2)
            );
            return Err(invalid(key("breaker_window_ms"), problem));
        }
        if self.breaker_open_max < self.breaker_open {
            return Err(invalid(
                key("breaker_open_max_ms"),
                "is shorter than `breaker_open_ms`",
            ));
        }
        Ok(())
    }
}

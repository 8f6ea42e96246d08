//! Rate limit: so many requests a second from each client, with room for bursts. The generic cell rate algorithm: each
//! client has a time at which its next request is due, and may be so far ahead of it as the burst allows.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;
use chassis::config::RateLimits;
use chassis::problem::Problem;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::client_address::Client;

/// How many clients are told apart: the memory is bounded, however many addresses an attacker has. Who is forgotten
/// starts anew.
const CLIENTS: usize = 100_000;

/// Counts each client's requests.
pub struct RateLimit {
    /// Time between two requests at the full rate, in nanoseconds.
    interval: u64,
    /// How far ahead of the rate a client may be.
    tolerance: u64,
    began: Instant,
    /// When each client's next request is due, in nanoseconds since `began`.
    due: Cache<Client, Arc<AtomicU64>>,
}

impl RateLimit {
    /// `None` when it is turned off.
    pub fn new(limits: &RateLimits) -> Option<Self> {
        let interval = 1_000_000_000 / u64::from(limits.requests_per_second.max(1));
        limits.enabled.then(|| Self {
            interval,
            tolerance: interval * u64::from(limits.burst.max(1) - 1),
            began: Instant::now(),
            due: Cache::new(CLIENTS),
        })
    }

    /// Whether the client may make this request now.
    pub fn admit(&self, client: Client) -> Result<(), Problem> {
        let anew = || Ok::<_, Infallible>(Arc::default());
        let due = self
            .due
            .get_or_insert_with(&client, anew)
            .unwrap_or_default();
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let next = due.fetch_update(Relaxed, Relaxed, |due| {
            let due = due.max(now);
            (due - now <= self.tolerance).then_some(due + self.interval)
        });
        next.map(drop).map_err(|due| {
            let wait = Duration::from_nanos(due.saturating_sub(now + self.tolerance));
            let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            Problem::new(StatusCode::TOO_MANY_REQUESTS)
                .detail("too many requests from this client")
                .retry_after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::advance;

    use super::*;

    fn limit() -> RateLimit {
        let limits = RateLimits {
            enabled: true,
            requests_per_second: 100,
            burst: 200,
        };
        RateLimit::new(&limits).unwrap()
    }

    fn client(number: u32) -> Client {
        Client::from(IpAddr::V4(number.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate_holds() {
        let limit = limit();
        let admitted = |number, requests: usize| {
            let admitted = |_: &usize| limit.admit(client(number)).is_ok();
            (0..requests).filter(admitted).count()
        };
        assert_eq!(admitted(1, 1000), 200);
        assert_eq!(admitted(2, 1), 1, "others are not concerned");
        advance(Duration::from_secs(1)).await;
        assert_eq!(admitted(1, 1000), 100);
        advance(Duration::from_secs(60)).await;
        assert_eq!(admitted(1, 1000), 200, "no more than a burst is saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_beyond_number_do_not_fill_the_memory() {
        let limit = limit();
        for number in 0..300_000 {
            assert!(limit.admit(client(number)).is_ok());
        }
        assert!(limit.due.len() <= CLIENTS);
    }
}

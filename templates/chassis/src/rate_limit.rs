//! Rate limit: so many requests a second from each client, with room for bursts. The generic cell rate algorithm: each
//! client has a time at which its next request is due, and may be so far ahead of it as the burst allows.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use quick_cache::sync::Cache;
use serde::Deserialize;
use tokio::time::Instant;

use crate::problem::Problem;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How many clients are told apart: the memory is bounded, however many addresses an attacker has. Who is forgotten
/// starts anew.
const CLIENTS: usize = 100_000;

/// How many requests a client may make: `[server.rate_limit]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    #[serde(default)]
    pub enabled: bool,
    pub per_second: u32,
    pub burst: u32,
    /// How many proxies of ours a request passes. Each appends its caller to `X-Forwarded-For`, so the client is the
    /// entry that the outermost of them wrote: counted from the right, because the rest is the caller's own words.
    pub trusted_proxies: usize,
}

/// Counts each client's requests.
pub struct RateLimit {
    /// Time between two requests at the full rate, in nanoseconds.
    interval: u64,
    /// How far ahead of the rate a client may be.
    tolerance: u64,
    trusted_proxies: usize,
    began: Instant,
    /// When each client's next request is due, in nanoseconds since `began`.
    due: Cache<IpAddr, Arc<AtomicU64>>,
}

impl RateLimit {
    /// `None` when it is turned off.
    pub fn new(limits: &RateLimits) -> Option<Self> {
        let interval = 1_000_000_000 / u64::from(limits.per_second.max(1));
        limits.enabled.then(|| Self {
            interval,
            tolerance: interval * u64::from(limits.burst.max(1) - 1),
            trusted_proxies: limits.trusted_proxies,
            began: Instant::now(),
            due: Cache::new(CLIENTS),
        })
    }

    /// Whether the client may make this request now. Callers whose address is not known are one client.
    pub fn admit(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Problem> {
        let client = network(self.client(peer, headers));
        let due = match self.due.get(&client) {
            Some(due) => due,
            None => {
                self.due
                    .get_or_insert_with(&client, || {
                        Ok::<_, std::convert::Infallible>(Arc::default())
                    })
                    .unwrap_or_default()
            }
        };
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let next = due.fetch_update(Relaxed, Relaxed, |due| {
            let due = due.max(now);
            (due - now <= self.tolerance).then_some(due + self.interval)
        });
        next.map(drop).map_err(|due| {
            let wait = Duration::from_nanos(due.saturating_sub(now + self.tolerance));
            Problem::new(StatusCode::TOO_MANY_REQUESTS)
                .detail("too many requests from this client")
                .retry_after(u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
        })
    }

    fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let Some(hop) = self.trusted_proxies.checked_sub(1) else {
            return peer.unwrap_or(unknown);
        };
        let values = headers.get_all(X_FORWARDED_FOR).iter();
        let hops: Vec<&str> = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let written = hops
            .iter()
            .rev()
            .nth(hop)
            .and_then(|hop| hop.trim().parse().ok());
        written.or(peer).unwrap_or(unknown)
    }
}

/// An IPv6 client has a whole /64 of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn limit(trusted_proxies: usize) -> RateLimit {
        let limits = RateLimits {
            enabled: true,
            per_second: 100,
            burst: 200,
            trusted_proxies,
        };
        RateLimit::new(&limits).unwrap()
    }

    fn admitted(limit: &RateLimit, peer: &str, forwarded: &str, requests: usize) -> usize {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, forwarded.parse().unwrap());
        let peer = Some(peer.parse().unwrap());
        (0..requests)
            .filter(|_| limit.admit(peer, &headers).is_ok())
            .count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate_holds() {
        let limit = limit(0);
        assert_eq!(admitted(&limit, "10.0.0.1", "", 1000), 200);
        assert_eq!(
            admitted(&limit, "10.0.0.2", "", 1),
            1,
            "others are not concerned"
        );
        advance(Duration::from_secs(1)).await;
        assert_eq!(admitted(&limit, "10.0.0.1", "", 1000), 100);
        advance(Duration::from_secs(60)).await;
        assert_eq!(
            admitted(&limit, "10.0.0.1", "", 1000),
            200,
            "no more than a burst is saved up"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_is_whom_our_outermost_proxy_saw() {
        for (proxies, peers, forwarded, same) in [
            // Nobody in front: what a caller says of itself is not believed.
            (0, ["10.0.0.1", "10.0.0.1"], ["1.1.1.1", "2.2.2.2"], true),
            (0, ["10.0.0.1", "10.0.0.2"], ["1.1.1.1", "1.1.1.1"], false),
            (
                1,
                ["10.0.0.1", "10.0.0.2"],
                ["9.9.9.9, 1.1.1.1", "8.8.8.8, 1.1.1.1"],
                true,
            ),
            (
                1,
                ["10.0.0.1", "10.0.0.1"],
                ["9.9.9.9, 1.1.1.1", "9.9.9.9, 2.2.2.2"],
                false,
            ),
            (
                2,
                ["10.0.0.1", "10.0.0.1"],
                ["1.1.1.1, 7.7.7.7", "2.2.2.2, 7.7.7.7"],
                false,
            ),
            // Fewer hops than promised, or nonsense: the peer.
            (2, ["10.0.0.1", "10.0.0.1"], ["1.1.1.1", "2.2.2.2"], true),
            (
                1,
                ["10.0.0.1", "10.0.0.1"],
                ["nonsense", "more of it"],
                true,
            ),
            // A /64 is one client, an IPv4 address in IPv6 is itself.
            (0, ["2001:db8::1", "2001:db8::2"], ["", ""], true),
            (0, ["2001:db8::1", "2001:db8:0:1::1"], ["", ""], false),
            (0, ["::ffff:10.0.0.1", "10.0.0.1"], ["", ""], true),
            (0, ["::ffff:10.0.0.1", "::ffff:10.0.0.2"], ["", ""], false),
        ] {
            let limit = limit(proxies);
            assert_eq!(admitted(&limit, peers[0], forwarded[0], 300), 200);
            let left = admitted(&limit, peers[1], forwarded[1], 300);
            assert_eq!(left == 0, same, "{proxies} {peers:?} {forwarded:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_beyond_number_do_not_fill_the_memory() {
        let limit = limit(0);
        for client in 0..300_000_u32 {
            assert!(
                limit
                    .admit(Some(IpAddr::V4(client.into())), &HeaderMap::new())
                    .is_ok()
            );
        }
        assert!(limit.due.len() <= CLIENTS);
    }
}

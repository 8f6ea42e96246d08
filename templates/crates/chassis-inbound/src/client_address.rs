//! Who is calling, by address: whom a rate limit is for.
//!
//! That is the peer of the connection. Behind a proxy it is what the proxy reports in `X-Forwarded-For`, and only what it
//! reports: each proxy appends the peer it saw, so the last entry that no trusted proxy stands for is the caller, and
//! all entries before it are the caller's own invention. Proxies are named by their networks and not counted, because a
//! count also believes a caller that reaches the service past the proxy.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderName;
use chassis::networks::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A caller's address: an IPv4 address, or the first 64 bits of an IPv6 address, of which one customer has all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(u128);

impl Client {
    /// Callers whose address is not known, and those there is no room to tell apart.
    pub const ANYONE: Self = Self(0);

    pub fn of(request: &Request, trusted: &Networks) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let Some(ConnectInfo(peer)) = peer else {
            return Self::ANYONE;
        };
        let mut client = peer.ip();
        let reports = request.headers().get_all(X_FORWARDED_FOR);
        let reports = reports
            .iter()
            .rev()
            .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        for report in reports {
            if !trusted.contain(client) {
                break;
            }
            // What cannot be read leaves the proxy that reported it.
            let Some(address) = address(report.trim()) else {
                break;
            };
            client = address;
        }
        Self::from(client)
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }
}

/// Some proxies report the port too.
fn address(report: &str) -> Option<IpAddr> {
    let with_port = || Some(report.parse::<SocketAddr>().ok()?.ip());
    report.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn client(peer: &str, reports: &[&str], trusted: &str) -> Client {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        for report in reports {
            let report = report.parse().unwrap();
            request.headers_mut().append(X_FORWARDED_FOR, report);
        }
        Client::of(&request, &trusted.parse().unwrap())
    }

    #[test]
    fn only_what_a_trusted_proxy_saw_is_believed() {
        let proxies = "10.0.0.0/8, fd00::/8";
        for (peer, reports, trusted, expected) in [
            // Nobody is trusted: the peer it is, whatever it claims.
            ("203.0.113.7:1", &["198.51.100.1"][..], "", "203.0.113.7"),
            ("203.0.113.7:1", &["198.51.100.1"], proxies, "203.0.113.7"),
            ("10.0.0.1:1", &["198.51.100.1"], proxies, "198.51.100.1"),
            // The first entries are the caller's own.
            (
                "10.0.0.1:1",
                &["1.1.1.1, 198.51.100.1"],
                proxies,
                "198.51.100.1",
            ),
            (
                "10.0.0.1:1",
                &["1.1.1.1", "198.51.100.1, 10.9.9.9"],
                proxies,
                "198.51.100.1",
            ),
            (
                "[fd00::1]:1",
                &["198.51.100.1:4711"],
                proxies,
                "198.51.100.1",
            ),
            (
                "[::ffff:10.0.0.1]:1",
                &["198.51.100.1"],
                proxies,
                "198.51.100.1",
            ),
            ("10.0.0.1:1", &["1.1.1.1, unknown"], proxies, "10.0.0.1"),
            ("10.0.0.1:1", &[], proxies, "10.0.0.1"),
            ("10.0.0.1:1", &["1.1.1.1, 10.0.0.2"], "10.0.0.1", "10.0.0.2"),
        ] {
            let expected = Client::from(expected.parse::<IpAddr>().unwrap());
            assert_eq!(
                client(peer, reports, trusted),
                expected,
                "{peer} {reports:?} {trusted:?}"
            );
        }
    }

    #[test]
    fn a_customer_has_one_key() {
        let key = |address: &str| Client::from(address.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    }
}

//! Addresses in texts, and whether one is of a system that moves.

use std::net::IpAddr;

/// Schemes that clients of services, databases and brokers connect by.
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "ws",
    "wss",
    "grpc",
    "grpcs",
    "tcp",
    "postgres",
    "postgresql",
    "mysql",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "nats",
    "tls",
    "kafka",
    "mongodb",
    "pulsar",
    "mqtt",
];
/// Ends of names that only a private network resolves.
const INTERNAL: &[&str] = &[
    ".svc",
    ".svc.cluster.local",
    ".cluster.local",
    ".internal",
    ".local",
    ".lan",
    ".corp",
    ".intranet",
    ".consul",
    ".localdomain",
    // Names of Kubernetes with their namespace: `inventory.staging`.
    ".prod",
    ".production",
    ".staging",
];
/// Ports of agents that run beside a service, on the same host by design: Dapr, Envoy and Istio, OTLP and Jaeger agents, StatsD,
/// Datadog, Consul, Vault, the AWS daemon.
const SIDECARS: &[u16] = &[3500, 50001, 15000, 15020, 15021, 4317, 4318, 6831, 14268, 8125, 8126, 8500, 8200, 2000];

/// An address that is written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `inventory:8080`, as written.
    pub authority: String,
    pub host: String,
    pub port: Option<u16>,
    /// Empty where there is none: `broker:9092`.
    pub scheme: String,
    /// What stands between `user:` and `@`.
    pub password: Option<String>,
}

/// The address that a text begins with: a URL, or `host:port` alone. `None` where its host is filled in later.
pub fn address(text: &str) -> Option<Address> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if SCHEMES.contains(&scheme.split('+').next().unwrap_or(scheme)) => (scheme, rest),
        Some(_) => return None,
        None => ("", text),
    };
    let authority = rest.split(['/', '?', '#', ',']).next()?;
    let (user, authority) = authority.rsplit_once('@').map_or((None, authority), |(user, rest)| (Some(user), rest));
    let (host, port) = match authority.rsplit_once(':') {
        // `[::1]:8080`
        Some((host, port)) if host.starts_with('[') && host.ends_with(']') => (host, port.parse().ok()),
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port.parse().ok()),
        Some((host, port)) if port.contains('{') => (host, None),
        Some(_) => return None,
        None => (authority, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.filter(|host| host.parse::<IpAddr>().is_ok()).unwrap_or(host);
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || bracketed.is_some() && c == ':';
    let is_host = !host.is_empty() && host.chars().all(valid) && (!scheme.is_empty() || port.is_some());
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password.to_owned());
    is_host.then(|| Address { authority: authority.to_owned(), host: host.to_owned(), port, scheme: scheme.to_owned(), password })
}

impl Address {
    /// Whether it names a system that moves between environments: a private address, a name that only a private network
    /// resolves, this machine. Public names are as stable as what stands behind them.
    pub fn moves(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => (ip.is_private() || ip.is_loopback()) && !self.is_sidecar(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() && !self.is_sidecar(),
            Err(_) if self.is_this_machine() => !self.is_sidecar(),
            Err(_) if self.host == "metadata.google.internal" => false,
            Err(_) => !self.host.contains('.') || self.is_pod() || INTERNAL.iter().any(|end| self.host.ends_with(end)),
        }
    }

    /// A pod of a StatefulSet, by its number and its Service: `kafka-0.kafka`, `kafka-0.kafka-headless`.
    fn is_pod(&self) -> bool {
        let Some((pod, front)) = self.host.split_once('.') else { return false };
        let set = pod.rsplit_once('-').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        set.is_some_and(|(set, _)| !set.is_empty() && !front.contains('.') && front.starts_with(set))
    }

    pub fn is_this_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn is_sidecar(&self) -> bool {
        self.is_this_machine() && self.port.is_some_and(|port| SIDECARS.contains(&port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, expected) in [
            ("http://inventory:8080/v1/items", Some(("inventory:8080", true))),
            ("http://inventory:{port}/v1", Some(("inventory:{port}", true))),
            ("https://orders.shop.svc.cluster.local", Some(("orders.shop.svc.cluster.local", true))),
            ("http://inventory.staging:8080", Some(("inventory.staging:8080", true))),
            ("http://10.0.3.7:9000", Some(("10.0.3.7:9000", true))),
            ("postgres://shop:secret@db:5432/shop", Some(("db:5432", true))),
            ("broker:9092,other:9092", Some(("broker:9092", true))),
            ("kafka-0.kafka:9092,kafka-1.kafka:9092", Some(("kafka-0.kafka:9092", true))),
            ("http://node-1.example:80", Some(("node-1.example:80", false))),
            ("http://localhost:8081", Some(("localhost:8081", true))),
            ("http://[::1]:8081/v1", Some(("[::1]:8081", true))),
            ("http://localhost:4317", Some(("localhost:4317", false))),
            ("http://127.0.0.1:3500/v1.0", Some(("127.0.0.1:3500", false))),
            ("http://169.254.169.254/latest", Some(("169.254.169.254", false))),
            ("https://api.example.com/v1", Some(("api.example.com", false))),
            ("http://{host}:8080", None),
            ("{}://inventory", None),
            ("file:///etc/passwd", None),
            ("not an address", None),
            ("inventory", None),
            ("12:30", Some(("12:30", true))),
            ("http://", None),
        ] {
            let found = address(text);
            let found = found.as_ref().map(|found| (found.authority.as_str(), found.moves()));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(address("postgres://shop:secret@db/x").unwrap().password.as_deref(), Some("secret"));
    }
}

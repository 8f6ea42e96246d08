//! What a service is: the one model that `new` consumes and discovery produces.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Everything that decides what a service looks like, in code and in manifests.
///
/// `discover(new(spec)) == spec` holds for every value that `new` accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceSpec {
    /// Package name, DNS label, directory name.
    pub name: ServiceName,
    /// How callers talk to it.
    pub protocol: Protocol,
    /// Traffic port; the admin port again where nobody calls it.
    pub port: u16,
    /// Port of `/livez`, `/readyz`, `/startupz`, `/metrics`.
    pub admin_port: u16,
    /// Where it keeps its own data.
    pub store: Store,
    /// How it finds other services.
    pub discovery: Discovery,
    /// How it knows its callers.
    pub auth: Auth,
    /// How its traffic is encrypted.
    pub tls: Tls,
    /// Reachable from outside the cluster.
    pub public: bool,
    /// Services that it calls, each once, in name order.
    pub calls: Vec<ServiceName>,
    /// Where it publishes its events, or reads those of another service.
    pub broker: Broker,
    /// Whose events it reads.
    pub consumes: Option<ServiceName>,
}

/// A name that is a Cargo package name and an RFC 1123 DNS label at once: `[a-z]([-a-z0-9]*[a-z0-9])?`, 63 at most,
/// and that no Rust keyword, Cargo artifact or generated crate claims.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// Why a text is no [`ServiceName`], and the nearest one that is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` cannot name a service: {reason}")]
pub struct InvalidName {
    pub given: String,
    pub reason: String,
    pub suggestion: Option<String>,
}

macro_rules! choices {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The word used in options, metadata and messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is none of: {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

choices! {
    /// How callers talk to a service.
    Protocol {
        /// HTTP with JSON.
        Rest = "rest",
        /// gRPC.
        Grpc = "grpc",
        /// Consumes a message broker; HTTP only for health and metrics.
        Events = "events",
    }
}

choices! {
    /// Where a service keeps its own data. What `new` offers is in `cli`; discovery knows all of these.
    Store {
        Sqlite = "sqlite",
        Postgres = "postgres",
        Mysql = "mysql",
        Mongodb = "mongodb",
        Redis = "redis",
        None = "none",
    }
}

impl Store {
    /// It is a server apart from the service, which needs an address and credentials.
    pub const fn is_on_a_server(self) -> bool {
        !matches!(self, Self::Sqlite | Self::None)
    }
}

choices! {
    /// How a service finds the others.
    Discovery {
        /// Service names, by cluster DNS.
        Kubernetes = "kubernetes",
        /// Addresses from configuration.
        Static = "static",
        /// Instances that a Consul agent lists.
        Consul = "consul",
        /// Instances that a Eureka server lists.
        Eureka = "eureka",
    }
}

impl Discovery {
    /// Instances list themselves somewhere, and are found there.
    pub const fn is_a_registry(self) -> bool {
        matches!(self, Self::Consul | Self::Eureka)
    }
}

choices! {
    /// What carries a service's events.
    Broker {
        None = "none",
        /// NATS with JetStream.
        Nats = "nats",
        Rabbitmq = "rabbitmq",
        Kafka = "kafka",
    }
}

choices! {
    /// How a service knows its callers.
    Auth {
        Jwt = "jwt",
        None = "none",
    }
}

choices! {
    /// How a service's traffic is encrypted.
    Tls {
        /// Plain HTTP inside: a service mesh or the network encrypts.
        Mesh = "mesh",
        /// By the service itself.
        Rustls = "rustls",
        /// And callers show certificates.
        Mtls = "mtls",
    }
}

impl ServiceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `order-items` as the crate sees itself: `order_items`.
    pub fn crate_name(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Prefix of the environment variables that configure it: `ORDER_ITEMS`.
    pub fn env_prefix(&self) -> String {
        self.crate_name().to_uppercase()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> String {
        name.0
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl FromStr for ServiceName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match reject_name(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(InvalidName { given: text.to_owned(), reason, suggestion: nearest_name(text) }),
        }
    }
}

/// The DNS label closest to `text`, for names that are not a service's: a namespace, a system.
pub fn dns_label(text: &str) -> Option<String> {
    let label: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(MAX_NAME).collect();
    Some(label.trim_matches('-').to_owned()).filter(|label| !label.is_empty())
}

/// The longest name that is still a DNS label.
const MAX_NAME: usize = 63;

/// Names that the generated workspace, Cargo or Rust already uses.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "chassis",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

fn reject_name(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!("`{}` is not a lowercase letter, a digit or `-`", bad.escape_debug()));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("it must start with a letter".into());
    }
    if text.ends_with('-') {
        return Some("it must not end with `-`".into());
    }
    if text.len() > MAX_NAME {
        return Some(format!("a DNS label has {MAX_NAME} characters at most, this has {}", text.len()));
    }
    if text.starts_with("chassis-") {
        return Some("crates that services are built from have such names".into());
    }
    if TAKEN.contains(&text) {
        return Some("Rust, Cargo or the generated workspace already uses that name".into());
    }
    None
}

/// The valid name closest to `text`, if anything of it can be kept.
fn nearest_name(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut previous_lower = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            // `OrderItems` reads best as `order-items`.
            if c.is_ascii_uppercase() && previous_lower {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        previous_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name.get(..MAX_NAME).unwrap_or(name).trim_end_matches('-');
    let name = name.strip_prefix("chassis-").unwrap_or(name);
    let name = if TAKEN.contains(&name) { format!("{name}-service") } else { name.to_owned() };
    reject_name(&name).is_none().then_some(name)
}

/// The word most like `text`, if any is alike enough to be a slip of the keyboard. Names of services, keys and rules are all
/// words that people type.
pub fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let text = text.to_lowercase().replace('_', "-");
    let scored = words.into_iter().map(|word| (strsim::jaro_winkler(&text, &word.to_lowercase()), word));
    // Ties go to the first, so the answer does not depend on anything but the list.
    let best = scored.fold(None, |best: Option<(f64, &str)>, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.filter(|(score, _)| *score > 0.8).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["orders", "a", "order-items", "s3", "a--b"] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(64);
        for (bad, nearest) in [
            ("", None),
            ("Orders", Some("orders")),
            ("OrderItems", Some("order-items")),
            ("order_items", Some("order-items")),
            ("1orders", Some("orders")),
            ("orders-", Some("orders")),
            ("../etc", Some("etc")),
            ("fn", Some("fn-service")),
            ("chassis", None),
            ("chassis-auth", Some("auth")),
            ("été", Some("t")),
            ("---", None),
            (long.as_str(), Some(&long[..63])),
        ] {
            let error = bad.parse::<ServiceName>().unwrap_err();
            assert_eq!(error.suggestion.as_deref(), nearest, "{bad}: {error}");
        }
    }
}

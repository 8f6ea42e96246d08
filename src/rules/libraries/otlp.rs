//! opentelemetry-otlp: which client an exporter sends with, and what that needs.

use cargo_metadata::semver::Version;

use crate::workspace::manifest::Dependency;

/// The HTTP clients that the crate makes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpClient {
    Reqwest,
    ReqwestBlocking,
    Hyper,
}

/// The crate as it is built: its version and its features.
pub struct Otlp<'w> {
    minor: u64,
    features: Vec<&'w str>,
}

impl HttpClient {
    const ALL: [Self; 3] = [Self::Reqwest, Self::Hyper, Self::ReqwestBlocking];

    pub const fn feature(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest-client",
            Self::ReqwestBlocking => "reqwest-blocking-client",
            Self::Hyper => "hyper-client",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest's async client",
            Self::ReqwestBlocking => "reqwest's blocking client",
            Self::Hyper => "hyper",
        }
    }

    /// Whether it panics where no runtime of tokio's runs: reqwest 0.12 and 0.13 `src/async_impl/client.rs` and hyper-util 0.1
    /// `src/client/legacy/connect/http.rs` connect with tokio's `TcpStream`.
    pub const fn needs_runtime(self) -> bool {
        !matches!(self, Self::ReqwestBlocking)
    }
}

impl<'w> Otlp<'w> {
    /// As packages that are built together ask for it: Cargo gives all of them the features of all.
    pub fn new(version: &Version, dependencies: impl Iterator<Item = &'w Dependency>) -> Self {
        let mut features = Vec::new();
        for dependency in dependencies {
            features.extend(dependency.features.iter().map(String::as_str));
            // `default` in `Cargo.toml` of 0.28 to 0.33, as far as it matters here.
            features.extend(dependency.default_features.then_some("reqwest-blocking-client"));
        }
        Self { minor: version.minor, features }
    }

    /// The client of an exporter that is given none: by `src/exporter/http/mod.rs`, before 0.32 the only one that is asked for (two make
    /// the build of an exporter fail), from 0.32 the first in the order of [`HttpClient::ALL`].
    pub fn http_client(&self) -> Option<HttpClient> {
        let mut asked = HttpClient::ALL.into_iter().filter(|client| self.features.contains(&client.feature()));
        let first = asked.next();
        first.filter(|_| self.minor >= 32 || asked.next().is_none())
    }

    /// Before 0.28, the SDK's processors export on a runtime that they are given: opentelemetry_sdk 0.27 `src/trace/span_processor.rs`.
    pub fn exports_on_runtime(version: &Version) -> bool {
        version.major == 0 && version.minor < 28
    }

    /// From 0.32, `https://` uses TLS, or is refused when the exporter is built: `src/exporter/tonic/mod.rs`. Builders before 0.27 look
    /// differently.
    pub fn sees_to_tls(version: &Version) -> bool {
        version.major > 0 || !(27..32).contains(&version.minor)
    }
}

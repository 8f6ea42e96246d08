//! Service discovery: where another service of the system is. In Kubernetes its name is enough, because the cluster's
//! DNS knows every Service, and all pods of a headless one; elsewhere addresses come from configuration. No code holds
//! an address.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use chassis::config::{ConfigError, invalid, millis};
use serde::Deserialize;
use tokio::sync::watch;

/// How other services are found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    pub kind: Kind,
    /// How often names are looked up again.
    #[serde(rename = "refresh_ms", deserialize_with = "millis")]
    pub refresh: Duration,
    /// How long an address that cannot be reached is passed over, where there are others.
    #[serde(rename = "avoid_ms", deserialize_with = "millis")]
    pub avoid: Duration,
    /// Base URLs by service name, several with commas between. They win over what `kind` says, so that a laptop needs
    /// no cluster.
    #[serde(default)]
    pub addresses: BTreeMap<String, String>,
    #[serde(skip)]
    registry: Option<Arc<dyn Registry>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Service of the same name in the same namespace, on port 80, or 443 for HTTPS.
    Kubernetes,
    /// Only what `addresses` lists.
    Static,
    /// Healthy instances that a Consul agent knows.
    Consul,
    /// Instances that a Eureka server knows and that are up.
    Eureka,
}

/// Who lists the instances.
pub trait Registry: fmt::Debug + Send + Sync {
    fn kind(&self) -> Kind;

    /// Follows the instances of a service, which is called by `scheme`. Needs a tokio runtime.
    fn follow(&self, service: &str, scheme: &Scheme) -> Result<Origins, ConfigError>;
}

/// Places that answer for a service now: those that are known, or those that a registry tells.
#[derive(Clone, Debug)]
pub struct Origins(watch::Receiver<Option<Vec<Origin>>>);

impl From<Vec<Origin>> for Origins {
    fn from(origins: Vec<Origin>) -> Self {
        Self(watch::channel(Some(origins)).1)
    }
}

impl Origins {
    /// What a registry tells, from its first answer on.
    pub fn changing(told: watch::Receiver<Option<Vec<Origin>>>) -> Self {
        Self(told)
    }

    /// Those that are known now.
    pub fn known(&self) -> Vec<Origin> {
        self.0.borrow().clone().unwrap_or_default()
    }

    /// Likewise, once a registry has told them.
    pub async fn told(&mut self) -> Vec<Origin> {
        let told = self.0.wait_for(Option::is_some).await;
        let origins = told.map(|told| told.clone().unwrap_or_default());
        _ = self.0.borrow_and_update();
        origins.unwrap_or_default()
    }

    /// Completes when a registry has others.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // They never change.
            std::future::pending().await
        }
    }
}

/// A place that answers for a service: a base URL, whose host may stand for several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub scheme: Scheme,
    pub authority: Authority,
    /// Without a trailing slash.
    pub path: String,
    /// Where it is, if not where the URL says: the URL then names the service.
    pub at: Option<(String, u16)>,
}

impl Discovery {
    /// What `kind` may ask for; the service's configuration has a section of its own for it.
    pub fn set_registry(&mut self, registry: impl Registry + 'static) {
        self.registry = Some(Arc::new(registry));
    }

    /// Where a service is, by its name; `scheme` is how it is called where no URL says so.
    pub fn origins(&self, service: &str, scheme: &Scheme) -> Result<Origins, ConfigError> {
        // Environment variables cannot say `-`.
        let listed = self.addresses.iter().find(|(name, _)| {
            name.replace('-', "_")
                .eq_ignore_ascii_case(&service.replace('-', "_"))
        });
        match (listed, self.kind) {
            (Some((_, urls)), _) => {
                let origins = urls.split(',').map(|url| origin(service, url));
                Ok(origins.collect::<Result<Vec<_>, _>>()?.into())
            }
            (None, Kind::Kubernetes) => {
                Ok(vec![origin(service, &format!("{scheme}://{service}"))?].into())
            }
            (None, Kind::Static) => Err(invalid(
                "discovery.addresses",
                format!("has no address for `{service}`"),
            )),
            (None, kind) => {
                let registry = self.registry.as_ref();
                let registry = registry.filter(|registry| registry.kind() == kind);
                let unknown = "asks for a registry that this service does not know";
                let registry = registry.ok_or_else(|| invalid("discovery.kind", unknown))?;
                registry.follow(service, scheme)
            }
        }
    }
}

impl Origin {
    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// It is called over TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Every address that the host has now.
    pub async fn addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        let default = if self.is_secure() { 443 } else { 80 };
        let named = || (self.host(), self.authority.port_u16().unwrap_or(default));
        let at = self.at.as_ref().map(|(host, port)| (&**host, *port));
        let (host, port) = at.unwrap_or_else(named);
        let host = host.trim_matches(['[', ']']);
        let mut addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }

    /// The URL of a path there.
    pub fn url(&self, path_and_query: &str) -> Result<Uri, axum::http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path_and_query}", self.path))
            .build()
    }
}

fn origin(service: &str, url: &str) -> Result<Origin, ConfigError> {
    let parsed = || {
        let uri: Uri = url.trim().parse().ok()?;
        let parts = uri.into_parts();
        let scheme = parts.scheme?;
        let path = parts.path_and_query?;
        let is_base = (scheme == Scheme::HTTP || scheme == Scheme::HTTPS) && path.query().is_none();
        is_base.then_some(Origin {
            scheme,
            authority: parts.authority?,
            path: path.path().trim_end_matches('/').to_owned(),
            at: None,
        })
    };
    parsed().ok_or_else(|| {
        invalid(
            "discovery.addresses",
            format!("has {url:?} for `{service}`, which is no base URL such as http://host:8080"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(kind: Kind, address: &str) -> Discovery {
        Discovery {
            kind,
            refresh: Duration::from_secs(5),
            avoid: Duration::from_secs(5),
            addresses: BTreeMap::from([("order_items".to_owned(), address.to_owned())]),
            registry: None,
        }
    }

    fn urls(discovery: &Discovery, service: &str) -> Result<Vec<String>, String> {
        let origins = discovery
            .origins(service, &Scheme::HTTP)
            .map_err(|error| error.to_string())?;
        let url = |origin: &Origin| origin.url("/v1?a=b").unwrap().to_string();
        Ok(origins.known().iter().map(url).collect())
    }

    #[test]
    fn a_name_becomes_base_urls() {
        let two = "http://10.0.0.1:8081/, https://[::1]:8443/base";
        let both = [
            "http://10.0.0.1:8081/v1?a=b",
            "https://[::1]:8443/base/v1?a=b",
        ];
        for kind in [Kind::Kubernetes, Kind::Static] {
            let discovery = discovery(kind, two);
            assert_eq!(urls(&discovery, "order-items").unwrap(), both);
        }
        let cluster = discovery(Kind::Kubernetes, two);
        assert_eq!(urls(&cluster, "prices").unwrap(), ["http://prices/v1?a=b"]);
        let secured = cluster.origins("prices", &Scheme::HTTPS).unwrap();
        assert_eq!(secured.known()[0].url("/v1").unwrap(), "https://prices/v1");
        let refused = urls(&discovery(Kind::Static, two), "prices").unwrap_err();
        assert!(refused.contains("no address for `prices`"), "{refused}");
    }

    #[test]
    fn an_address_must_be_a_base_url() {
        for bad in [
            "stock:8081",
            "ftp://stock",
            "http://stock/?a=b",
            "",
            "http://a,",
        ] {
            let refused = urls(&discovery(Kind::Static, bad), "order-items").unwrap_err();
            assert!(refused.contains("no base URL"), "{bad}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_host_stands_for_its_addresses() {
        let discovery = discovery(Kind::Static, "http://127.0.0.1:8081,http://[::1]");
        let mut found = Vec::new();
        let origins = discovery.origins("order-items", &Scheme::HTTP).unwrap();
        for origin in origins.known() {
            found.extend(origin.addresses().await.unwrap());
        }
        let expected: [SocketAddr; 2] = [
            "127.0.0.1:8081".parse().unwrap(),
            "[::1]:80".parse().unwrap(),
        ];
        assert_eq!(found, expected);
    }
}

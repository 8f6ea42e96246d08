//! Service discovery: where another service of the system is. In Kubernetes its name is enough, because the cluster's
//! DNS knows every Service; elsewhere the address comes from configuration. No code holds an address.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::{ConfigError, invalid};

/// How other services are found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    pub kind: Kind,
    /// Base URLs by service name. They win over what `kind` says, so that a laptop needs no cluster.
    #[serde(default)]
    pub addresses: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Service of the same name in the same namespace, on port 80.
    Kubernetes,
    /// Only what `addresses` lists.
    Static,
}

impl Discovery {
    /// Base URL of a service, without a trailing slash.
    pub fn base_url(&self, service: &str) -> Result<String, ConfigError> {
        match (self.addresses.get(service), self.kind) {
            (Some(address), _) => Ok(address.trim_end_matches('/').to_owned()),
            (None, Kind::Kubernetes) => Ok(format!("http://{service}")),
            (None, Kind::Static) => Err(invalid(
                "discovery.addresses",
                format!("has no address for `{service}`"),
            )),
        }
    }

    /// Refuses addresses that are no base URLs.
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_base_url = |address: &str| {
            let uri: Result<axum::http::Uri, _> = address.parse();
            uri.is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
            })
        };
        match self
            .addresses
            .iter()
            .find(|(_, address)| !is_base_url(address))
        {
            None => Ok(()),
            Some((service, address)) => Err(invalid(
                "discovery.addresses",
                format!(
                    "has {address:?} for `{service}`, which is no base URL such as http://host:8080"
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_base_url() {
        let addresses = BTreeMap::from([("stock".to_owned(), "http://127.0.0.1:8081/".to_owned())]);
        let cluster = Discovery {
            kind: Kind::Kubernetes,
            addresses: addresses.clone(),
        };
        let listed = Discovery {
            kind: Kind::Static,
            addresses,
        };
        assert_eq!(cluster.base_url("prices").unwrap(), "http://prices");
        assert_eq!(cluster.base_url("stock").unwrap(), "http://127.0.0.1:8081");
        assert_eq!(listed.base_url("stock").unwrap(), "http://127.0.0.1:8081");
        assert!(
            listed
                .base_url("prices")
                .unwrap_err()
                .to_string()
                .contains("no address for `prices`")
        );
    }

    #[test]
    fn an_address_must_be_a_base_url() {
        for (address, good) in [
            ("http://stock", true),
            ("https://stock.example:8443/base", true),
            ("stock:8081", false),
            ("ftp://stock", false),
            ("http://stock/?a=b", false),
        ] {
            let addresses = BTreeMap::from([("stock".to_owned(), address.to_owned())]);
            let discovery = Discovery {
                kind: Kind::Static,
                addresses,
            };
            assert_eq!(discovery.check().is_ok(), good, "{address}");
        }
    }
}

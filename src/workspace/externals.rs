//! Systems that people declare to be outside of what they audit: the same ones for every environment.

/// Hosts, each exact or, as `*.example.com`, all names below one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externals(Vec<String>);

impl Externals {
    /// Adds one.
    ///
    /// # Errors
    /// When it is no host.
    pub fn declare(&mut self, host: &str) -> Result<(), String> {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_host = !name.is_empty() && name.chars().all(valid) || name.parse::<std::net::IpAddr>().is_ok();
        if !is_host {
            return Err("it is a host alone, without scheme, port or path: `erp.example.com`, or `*.example.com` for all below"
                .to_owned());
        }
        self.0.push(host.to_ascii_lowercase());
        Ok(())
    }

    pub fn hold(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|known| match known.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => *known == host,
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let mut externals = Externals::default();
        ["erp.corp", "*.Legacy.corp", "::1"].into_iter().for_each(|host| externals.declare(host).unwrap());
        for (host, held) in [("ERP.corp", true), ("a.erp.corp", false), ("a.legacy.corp", true), ("legacy.corp", false)] {
            assert_eq!(externals.hold(host), held, "{host}");
        }
        for wrong in ["", "*.", "http://erp.corp", "erp.corp/v1", "erp.corp:80", "*"] {
            assert!(externals.declare(wrong).is_err(), "{wrong}");
        }
    }
}

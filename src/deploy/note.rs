//! What a person must know or do about manifests that were written.

use std::fmt;

use cargo_metadata::camino::Utf8Path;

/// Something that could not be found out or settled, and what settles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The service it is about; `None` for the whole system.
    pub service: Option<String>,
    /// A clause whose subject is the service: "has one replica: its store is embedded".
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Note {
    pub fn about(service: &str, what: String, help: impl Into<String>) -> Self {
        Self { service: Some(service.to_owned()), what, help: help.into() }
    }

    pub fn general(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { service: None, what: what.into(), help: help.into() }
    }

    /// A fact that nothing states.
    pub fn unknown(service: &str, what: &str, key: &str, manifest: &Utf8Path) -> Self {
        Self::about(
            service,
            format!("{what} could not be found out"),
            format!("state `{key}` under [package.metadata.msvc] in {manifest}"),
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(service) = &self.service {
            write!(f, "{service}: ")?;
        }
        f.write_str(&self.what)
    }
}

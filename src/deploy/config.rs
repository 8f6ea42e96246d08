//! The `[deploy]` table of `msvc.toml`: what the code cannot know about the cluster.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IntoDeserializer as _;

use super::image::ImageSetting;
use super::quantity::{Bytes, Cpu};
use crate::config::{Config, ConfigError};
use crate::lint::settings::nearest;

/// `[deploy]`. Every key is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DeployConfig {
    /// Namespace of the base and name of the whole system; the name of the workspace's directory when unset.
    pub namespace: Option<Label>,
    /// Where images are pushed, without the service's name: `ghcr.io/acme/shop`.
    pub registry: Option<Text>,
    pub platform: Platform,
    /// The Gateway that public services are attached to: `NAMESPACE/NAME`.
    pub gateway: Option<Gateway>,
    /// Namespace whose pods may scrape metrics; `monitoring` when unset.
    pub monitoring_namespace: Option<Label>,
    /// By service name.
    pub services: BTreeMap<String, ServiceConfig>,
    pub env: Environments,
}

/// `[deploy]` of a configuration; the defaults where it has none.
///
/// # Errors
/// When a key is not known or a value is none, with the place.
pub fn read(config: &Config) -> Result<DeployConfig, Box<ConfigError>> {
    let (Some(item), Some(source)) = (&config.deploy, &config.source) else { return Ok(DeployConfig::default()) };
    let Ok(value) = item.clone().into_value() else { return Ok(DeployConfig::default()) };
    DeployConfig::deserialize(value.into_deserializer()).map_err(|error: toml_edit::de::Error| {
        let (message, help) = explain(error.message());
        source.error(error.span(), message, "here", help)
    })
}

/// serde's sentence about an unknown word, as message and help.
fn explain(sentence: &str) -> (String, Option<String>) {
    let Some((unknown, expected)) = sentence.split_once(", expected ") else { return (sentence.to_owned(), None) };
    let words = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let (given, known) = (words(unknown), words(expected));
    let nearest = given.first().and_then(|given| nearest(given, known.iter().map(String::as_str)));
    let all = format!("known here: {}", known.join(", "));
    let help = nearest.map_or(all.clone(), |nearest| format!("did you mean `{nearest}`? {all}"));
    if known.is_empty() { (sentence.to_owned(), None) } else { (unknown.replace("variant", "value"), Some(help)) }
}

/// What may differ between a developer's cluster and the real one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environments {
    pub dev: EnvConfig,
    pub prod: EnvConfig,
}

/// `[deploy.env.dev]`, `[deploy.env.prod]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct EnvConfig {
    /// Dev: the base's with `-dev` when unset. Prod: the base's.
    pub namespace: Option<Label>,
    /// By service name.
    pub services: BTreeMap<String, ServiceInEnv>,
}

/// `[deploy.services.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Fewest replicas; 3 when unset.
    pub replicas: Option<u32>,
    /// Most replicas; 10 when unset.
    pub max_replicas: Option<u32>,
    /// CPU request; `50m` when unset.
    pub cpu: Option<Cpu>,
    /// CPU limit; none when unset, because throttling costs more latency than it saves.
    pub cpu_limit: Option<Cpu>,
    /// Memory request and limit; `64Mi` when unset.
    pub memory: Option<Bytes>,
    /// Size of the volume of an embedded store; `1Gi` when unset.
    pub storage: Option<Bytes>,
    /// Image in prod: `REPOSITORY@sha256:…`, or `sha256:…` alone.
    pub image: Option<ImageSetting>,
    /// Host name in prod, for a public service.
    pub host: Option<Host>,
    /// Values of environment variables that the code reads.
    pub env: BTreeMap<String, Text>,
}

/// `[deploy.env.ENV.services.NAME]`: wins over [`ServiceConfig`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ServiceInEnv {
    pub replicas: Option<u32>,
    pub max_replicas: Option<u32>,
    pub image: Option<ImageSetting>,
    pub host: Option<Host>,
    pub env: BTreeMap<String, Text>,
}

/// Whose security rules the pods meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    #[default]
    Kubernetes,
    /// The cluster chooses the UID, and refuses pods that do.
    Openshift,
}

/// A Gateway of the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Gateway {
    pub namespace: String,
    pub name: String,
}

macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $valid:expr, $wanted:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub String);

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(format!(concat!("`{}` is no ", $wanted), text.escape_debug())) }
            }
        }
    };
}

checked_text! {
    /// An RFC 1123 label.
    Label, is_label, "DNS label: lowercase letters, digits and `-`, 63 at most"
}
checked_text! {
    /// A DNS name.
    Host, |text| text.len() <= 253 && text.strip_prefix("*.").unwrap_or(text).split('.').all(is_label), "host name, like shop.example.com"
}
checked_text! {
    /// One line of printable text.
    Text, |text| !text.chars().any(char::is_control), "single line of text"
}

impl TryFrom<String> for Gateway {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if is_label(namespace) && is_label(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{}` is no Gateway: write \"NAMESPACE/NAME\"", text.escape_debug())),
        }
    }
}

/// Whether `text` is an RFC 1123 label.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

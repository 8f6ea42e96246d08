//! Which image an overlay runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workspace::yaml::{self, Node};

/// An image as somebody states it: a whole reference, or the digest alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ImageSetting {
    /// Registry and path, without tag and digest; the one of `[deploy] registry` when it is not stated.
    name: Option<String>,
    pin: Pin,
}

/// What makes an image out of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// `sha256:…`
    Digest(String),
    Tag(String),
}

/// An entry of a kustomization's `images`: what an overlay puts in place of the base's image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Registry and path.
    pub name: String,
    #[serde(flatten)]
    pub pin: Pin,
}

/// Tag of an image in prod that nobody has stated yet. No registry has it, and the event of the pod that cannot
/// start shows it.
pub const NO_DIGEST: &str = "no-digest-yet";

/// Tag of an image that a developer builds.
pub const DEV: &str = "dev";

/// The images that a kustomization puts in place, by the name they have in the base.
pub fn pinned(kustomization: &str) -> BTreeMap<String, Image> {
    let documents = yaml::parse(kustomization).unwrap_or_default();
    let entries = documents.iter().filter_map(|document| document.get("images")).flat_map(Node::items);
    let read = |entry: &Node| {
        let text = |key| entry.get(key).and_then(Node::as_str).map(str::to_owned);
        let (name, new_name) = (text("name")?, text("newName"));
        let pin = text("digest").map(Pin::Digest).or(text("newTag").map(Pin::Tag))?;
        Some((name.clone(), Image { name: new_name.unwrap_or(name), pin }))
    };
    entries.filter_map(read).collect()
}

impl ImageSetting {
    pub fn resolve(&self, default_name: &str) -> Image {
        Image { name: self.name.clone().unwrap_or_else(|| default_name.to_owned()), pin: self.pin.clone() }
    }
}

impl Image {
    pub fn is_pinned(&self) -> bool {
        matches!(self.pin, Pin::Digest(_))
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pin {
            Pin::Digest(digest) => write!(f, "{}@{digest}", self.name),
            Pin::Tag(tag) => write!(f, "{}:{tag}", self.name),
        }
    }
}

impl TryFrom<String> for ImageSetting {
    type Error = String;

    /// `sha256:…`, `NAME@sha256:…`, `NAME:TAG@sha256:…` (the tag says nothing then) or `NAME:TAG`.
    fn try_from(text: String) -> Result<Self, String> {
        let refuse = |what: &str| Err(format!("`{}` is no image: {what}", text.escape_debug()));
        if text.starts_with("sha256:") {
            return match is_digest(&text) {
                true => Ok(Self { name: None, pin: Pin::Digest(text) }),
                false => refuse("a digest is `sha256:` and 64 hexadecimal digits"),
            };
        }
        let (rest, digest) = text.split_once('@').map_or((text.as_str(), None), |(rest, digest)| (rest, Some(digest)));
        // A colon before the last slash belongs to the registry's port.
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[path..].split_once(':') {
            Some((last, tag)) => (&rest[..path + last.len()], Some(tag)),
            None => (rest, None),
        };
        let allowed =
            |text: &str, extra: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        if !allowed(name, "._-/:") || name.split('/').any(str::is_empty) {
            return refuse("write REPOSITORY@sha256:…, REPOSITORY:TAG or sha256:…");
        }
        let pin = match (digest, tag) {
            (Some(digest), _) if is_digest(digest) => Pin::Digest(digest.to_owned()),
            (Some(_), _) => return refuse("a digest is `sha256:` and 64 hexadecimal digits"),
            (None, Some(tag)) if allowed(tag, "._-") && tag.len() <= 128 => Pin::Tag(tag.to_owned()),
            (None, Some(_)) => return refuse("a tag is letters, digits, `.`, `_` and `-`"),
            (None, None) => return refuse("it has neither a digest nor a tag"),
        };
        Ok(Self { name: Some(name.to_owned()), pin })
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        for (text, image) in [
            (digest.clone(), format!("r/orders@{digest}")),
            (format!("ghcr.io/a/orders@{digest}"), format!("ghcr.io/a/orders@{digest}")),
            (format!("localhost:5000/orders:1@{digest}"), format!("localhost:5000/orders@{digest}")),
            ("localhost:5000/a/orders:1.2".into(), "localhost:5000/a/orders:1.2".into()),
        ] {
            let setting = ImageSetting::try_from(text).unwrap();
            assert_eq!(setting.resolve("r/orders").to_string(), image);
        }
        for bad in
            ["", "orders", "sha256:abc", "orders@sha256:abc", "orders:", "a//b:1", "or ders:1", "orders:a b", "@", ":1", "é:1"]
        {
            assert!(ImageSetting::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}

//! Container image references: `registry:5000/team/app:1.2@sha256:…`.

use super::sources::Span;
use super::variables::Expanded;

/// An image as a Dockerfile, a compose file or a pod names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// With its variables replaced by the defaults that the same file states.
    pub text: String,
    /// Registry and path, without tag and digest: `docker.io/library/rust`.
    pub name: String,
    pub tag: Option<String>,
    /// With its algorithm: `sha256:…`.
    pub digest: Option<String>,
    /// Variables (or template expressions) that nothing in the file gives a value: the reference is not fully known.
    pub unknown: Vec<String>,
    /// A variable gives part of it: whoever builds or runs it may choose another.
    pub variable: bool,
    pub span: Span,
}

impl Image {
    pub fn new(expanded: Expanded, span: Span) -> Self {
        let Expanded { text, mut unknown, variable } = expanded;
        if text.contains("{{") {
            unknown.push(text.clone());
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text.as_str(), None),
        };
        // A colon before the last slash belongs to the registry's port.
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[path..].find(':') {
            Some(colon) if !rest[path..path + colon].contains("${") => {
                (&rest[..path + colon], Some(rest[path + colon + 1..].to_owned()))
            }
            _ => (rest, None),
        };
        Self { name: name.to_owned(), tag, digest, unknown, variable, span, text }
    }

    /// Last part of the name: `app` of `registry:5000/team/app:1.2`.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::variables::expand;

    #[test]
    fn parts() {
        for (text, name, tag, digest, known) in [
            ("rust", "rust", None, None, true),
            ("rust:1.95-slim", "rust", Some("1.95-slim"), None, true),
            ("localhost:5000/app", "localhost:5000/app", None, None, true),
            ("localhost:5000/team/app:2", "localhost:5000/team/app", Some("2"), None, true),
            ("app:2@sha256:abc", "app", Some("2"), Some("sha256:abc"), true),
            ("app@sha256:abc", "app", None, Some("sha256:abc"), true),
            ("app:$TAG", "app", Some("$TAG"), None, false),
            ("${IMAGE:?set it}", "${IMAGE:?set it}", None, None, false),
            ("{{ .Values.image }}", "{{ .Values.image }}", None, None, false),
        ] {
            let image = Image::new(expand(text, &|_| None), Span::default());
            assert_eq!(
                (image.name.as_str(), image.tag.as_deref(), image.digest.as_deref(), image.unknown.is_empty()),
                (name, tag, digest, known),
                "{text}"
            );
        }
    }
}

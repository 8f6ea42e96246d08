//! `rust-toolchain.toml`: which compiler rustup takes below it.

use cargo_metadata::camino::Utf8Path;

use super::sources::{FileId, Span, Spanned};

/// One toolchain file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    pub file: FileId,
    /// `1.95.0`, `stable`, `nightly-2026-01-01`.
    pub channel: Spanned<String>,
}

/// Whether a file of this name pins a toolchain.
pub fn is_toolchain(path: &Utf8Path) -> bool {
    matches!(path.file_name(), Some("rust-toolchain.toml" | "rust-toolchain"))
}

/// Facts of one toolchain file; `None` where it pins none, or is of no known form.
pub fn parse(file: FileId, text: &str) -> Option<Toolchain> {
    if let Ok(document) = toml_edit::Document::parse(text)
        && let Some(toolchain) = document.as_item().get("toolchain")
    {
        let channel = toolchain.get("channel")?.as_value()?;
        let span = channel.span().map_or(Span::default(), |span| Span::new(span.start, span.end));
        return Some(Toolchain { file, channel: Spanned { value: channel.as_str()?.to_owned(), span } });
    }
    // The old form: nothing but the channel.
    let channel = text.trim();
    let is_word = !channel.is_empty() && channel.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let start = text.len() - text.trim_start().len();
    is_word.then(|| Toolchain {
        file,
        channel: Spanned { value: channel.to_owned(), span: Span::new(start, start + channel.len()) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels() {
        for (text, expected) in [
            ("[toolchain]\nchannel = \"1.95.0\"\n", Some("1.95.0")),
            ("toolchain = { channel = 'stable' }\n", Some("stable")),
            ("\n1.70\n", Some("1.70")),
            ("[toolchain]\npath = \"/opt\"\n", None),
            ("", None),
            ("{{ channel }}", None),
        ] {
            let found = parse(FileId(0), text);
            assert_eq!(found.as_ref().map(|found| found.channel.value.as_str()), expected, "{text}");
            let span = found.map_or(Span::default(), |found| found.channel.span);
            assert!(text[span.start as usize..span.end as usize].contains(expected.unwrap_or_default()), "{text}");
        }
    }
}

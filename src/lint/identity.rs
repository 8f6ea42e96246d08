//! What makes a finding the same finding tomorrow: its rule, its path and the text of its line, not the line's number.

use std::collections::HashMap;

use super::Finding;
use crate::workspace::{FileId, Sources};

/// Tells findings apart by what they are about. Reads the files that findings point into, one at a time: findings come in
/// path order.
pub struct Identities<'w> {
    sources: &'w Sources,
    read: Option<(FileId, String)>,
    seen: HashMap<u64, usize>,
}

impl<'w> Identities<'w> {
    pub fn new(sources: &'w Sources) -> Self {
        Self { sources, read: None, seen: HashMap::new() }
    }

    /// A hash of what a finding is about, wherever it stands: the text of its line, blanks aside. A finding about a file as a
    /// whole goes by its message, since the file's first line says nothing of it; so does one about a secret, whose hash would
    /// let it be guessed.
    pub fn content(&mut self, finding: &Finding) -> u64 {
        let diagnostic = &finding.diagnostic;
        let at = diagnostic.primary.at;
        let about_a_line = diagnostic.hidden.is_none() && at.span != Default::default();
        let line = if about_a_line { line_of(self.text(at.file), at.span.start as usize) } else { &diagnostic.message };
        let words: Vec<&str> = line.split_whitespace().collect();
        fnv1a(&[&words.join(" ")])
    }

    /// Names a finding across runs: stable while its file and line keep their text, and no two findings share one.
    pub fn fingerprint(&mut self, finding: &Finding) -> String {
        let content = format!("{:016x}", self.content(finding));
        let path = self.sources.path(finding.diagnostic.primary.at.file).as_str();
        let hash = fnv1a(&[finding.rule.code, path, &content]);
        let nth = self.seen.entry(hash).or_insert(0);
        *nth += 1;
        format!("{hash:016x}:{nth}")
    }

    fn text(&mut self, file: FileId) -> &str {
        if self.read.as_ref().is_none_or(|(known, _)| *known != file) {
            self.read = Some((file, self.sources.text(file).unwrap_or_default()));
        }
        self.read.as_ref().map_or("", |(_, text)| text)
    }
}

fn line_of(text: &str, offset: usize) -> &str {
    let offset = (0..=offset.min(text.len())).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    text[start..].lines().next().unwrap_or_default()
}

/// FNV-1a over the parts, each ended by a zero byte. The standard library's hashers may change from one release to the next.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_of_the_hash() {
        // "" and "a" of the FNV reference, continued by our separator.
        let separated = |hash: u64| hash.wrapping_mul(0x0100_0000_01b3);
        assert_eq!(fnv1a(&[""]), separated(0xcbf2_9ce4_8422_2325));
        assert_eq!(fnv1a(&["a"]), separated(0xaf63_dc4c_8601_ec8c));
        assert_ne!(fnv1a(&["ab", "c"]), fnv1a(&["a", "bc"]));
    }

    #[test]
    fn lines() {
        for (offset, line) in [(0, "a"), (1, "a"), (2, "bé"), (4, "bé"), (6, ""), (99, "")] {
            assert_eq!(line_of("a\nbé\n\n", offset), line, "{offset}");
        }
    }
}

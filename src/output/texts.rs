//! Spans as lines and columns: reads the files that findings point into, each once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::workspace::sources::LineColumn;
use crate::workspace::{FileId, Location, Sources, Span};

/// How many files to keep in memory: findings come in path order, so few are asked for again.
const KEPT: usize = 64;

/// The texts behind locations.
pub struct Texts<'w> {
    sources: &'w Sources,
    read: RefCell<BTreeMap<FileId, Rc<Text>>>,
    /// What [`Texts::shown_path`] puts before a path.
    prefix: String,
}

/// A text and where its lines start.
pub struct Text {
    pub text: String,
    lines: Vec<usize>,
}

/// Where a span stands: both ends from 1, the end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub start: LineColumn,
    pub end: LineColumn,
}

impl<'w> Texts<'w> {
    pub fn new(sources: &'w Sources) -> Self {
        Self::below(sources, "")
    }

    /// For readers who count paths from a directory further up, in which the audited root is `prefix`.
    pub fn below(sources: &'w Sources, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { sources, read: RefCell::default(), prefix }
    }

    /// Path relative to the audited root.
    pub fn path(&self, at: Location) -> &'w str {
        self.sources.path(at.file).as_str()
    }

    /// The same for the reader that [`Texts::below`] is about.
    pub fn shown_path(&self, at: Location) -> String {
        format!("{}{}", self.prefix, self.path(at))
    }

    /// A file's text; empty when it cannot be read as text, which the loader has reported.
    pub fn text(&self, file: FileId) -> Rc<Text> {
        let mut read = self.read.borrow_mut();
        if read.len() >= KEPT && !read.contains_key(&file) {
            read.clear();
        }
        let text = read.entry(file).or_insert_with(|| Rc::new(Text::new(self.sources.text(file).unwrap_or_default())));
        Rc::clone(text)
    }

    pub fn place(&self, at: Location) -> Place {
        let text = self.text(at.file);
        Place { start: text.position(at.span.start as usize), end: text.position(at.span.end.max(at.span.start) as usize) }
    }
}

impl Text {
    pub fn new(text: String) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { lines: std::iter::once(0).chain(starts).collect(), text }
    }

    /// The nearest offset at or before `offset` that a character starts at.
    pub fn boundary(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len())).rfind(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }

    /// The same text with every occurrence of `secret` in `span` overwritten; with the whole span overwritten where the secret
    /// is written in another way (escaped, encoded).
    pub fn masked(&self, span: Span, secret: &str) -> Self {
        let (start, end) = (self.boundary(span.start as usize), self.boundary(span.end as usize));
        let shown = self.text.get(start..end).unwrap_or_default();
        let overwritten = |text: &str| -> String {
            text.chars().map(|c| if c.is_whitespace() { c.to_string() } else { "*".repeat(c.len_utf8()) }).collect()
        };
        let masked = if !secret.is_empty() && shown.contains(secret) {
            shown.replace(secret, &overwritten(secret))
        } else {
            overwritten(shown)
        };
        Self::new(format!("{}{masked}{}", &self.text[..start], &self.text[start + shown.len()..]))
    }

    /// Index (from 0) of the line that holds `offset`.
    pub fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Byte range of a line (from 0), without its line break.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    fn position(&self, offset: usize) -> LineColumn {
        let offset = self.boundary(offset);
        let line = self.line_at(offset);
        let column = self.text[self.lines[line]..offset].chars().count();
        let from_one = |zero_based: usize| u32::try_from(zero_based + 1).unwrap_or(u32::MAX);
        LineColumn { line: from_one(line), column: from_one(column) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_agree_with_a_plain_count() {
        for text in ["", "a", "a\nb", "a\r\nbé\n\n", "\n\n", "日本\n語x"] {
            let indexed = Text::new(text.to_owned());
            for offset in 0..text.len() + 3 {
                let expected = crate::workspace::sources::line_column(text, u32::try_from(offset).unwrap());
                assert_eq!(indexed.position(offset), expected, "{text:?} {offset}");
            }
        }
    }

    #[test]
    fn secrets_are_masked_in_place() {
        let text = Text::new("a = \"sécret\"\nb = \"s\\u00e9cret\"\n".to_owned());
        assert_eq!(text.masked(Span::new(4, 13), "sécret").text, "a = \"*******\"\nb = \"s\\u00e9cret\"\n");
        assert_eq!(text.masked(Span::new(18, 31), "sécret").text, "a = \"sécret\"\nb = *************\n");
        assert_eq!(text.masked(Span::new(900, 999), "x").text, text.text);
    }

    #[test]
    fn lines_have_no_breaks() {
        let text = Text::new("a\r\nbc\n\nd".to_owned());
        let lines: Vec<_> = (0..text.line_count() + 1).map(|line| &text.text[text.line_range(line)]).collect();
        assert_eq!(lines, ["a", "bc", "", "d", ""]);
    }
}

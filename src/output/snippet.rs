//! A few lines of a file as `miette` draws them: safe to print, narrow enough, with labels moved along.

use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::terminal::{printable, printable_line};
use super::texts::Texts;
use crate::lint::Label;
use crate::workspace::FileId;

/// Lines between two labels of one snippet; what is further apart gets a snippet of its own.
pub const REACH: usize = 6;
/// Lines shown before and after.
const CONTEXT: usize = 1;
/// A label over more lines than this is drawn on its first line only.
const MAX_LABEL_LINES: usize = 5;

/// Part of a file, with labels.
#[derive(Debug)]
pub struct Snippet {
    name: String,
    text: String,
    /// Index of the first line kept.
    first_line: usize,
    /// Characters cut from the left of the line that the primary label stands on.
    cut: usize,
    pub labels: Vec<LabeledSpan>,
}

/// One line as it will be shown, and where its bytes went.
struct ShownLine {
    source: std::ops::Range<usize>,
    /// Byte of `source` at which the shown part starts.
    from: usize,
    start: usize,
    length: usize,
    cut: usize,
}

impl Snippet {
    /// The lines of `file` around `labels` (the first is the primary one; all in that file), each at most `width` wide.
    /// A `secret` at the primary label is masked, and no line around it is shown: its neighbours may be secrets too.
    pub fn new(texts: &Texts, file: FileId, labels: &[&Label], secret: Option<&str>, width: usize) -> Option<Self> {
        let primary = labels.first()?;
        let mut source = texts.text(file);
        if let Some(secret) = secret {
            source = std::rc::Rc::new(source.masked(primary.at.span, secret));
        }
        let context = if secret.is_some() { 0 } else { CONTEXT };
        if source.text.trim().is_empty() {
            return None;
        }
        let span = |label: &Label| {
            let start = source.boundary(label.at.span.start as usize).min(source.text.len());
            let end = source.boundary(label.at.span.end as usize).clamp(start, source.text.len());
            let first = source.line_at(start);
            let last = source.line_at(end.saturating_sub(1).max(start));
            let end = if last - first >= MAX_LABEL_LINES { source.line_range(first).end.max(start) } else { end };
            (start, end)
        };
        let spans: Vec<_> = labels.iter().map(|label| span(label)).collect();
        let first = spans.iter().map(|(start, _)| source.line_at(*start)).min()?.saturating_sub(context);
        let last = spans.iter().map(|(start, end)| source.line_at(end.saturating_sub(1).max(*start))).max()? + context;
        let last = last.min(source.line_count() - 1);

        let mut text = String::new();
        let mut shown = Vec::new();
        for line in first..=last {
            let range = source.line_range(line);
            let focus = spans.iter().map(|(start, _)| *start).find(|start| range.contains(start)).unwrap_or(range.start);
            let (from, to) = visible(&source.text, &range, focus, width);
            let cut = source.text[range.start..from].chars().count();
            let start = text.len();
            text.push_str(&printable(&source.text[from..to]));
            shown.push(ShownLine { length: text.len() - start, source: range, from, start, cut });
            text.push('\n');
        }
        // A file that ends in a line break has an empty last line, which says nothing.
        if text.ends_with("\n\n") && spans.iter().all(|(start, _)| *start < source.text.len()) {
            text.pop();
        }

        let moved = |offset: usize| {
            let line = shown.iter().rfind(|line| line.source.start <= offset).unwrap_or(&shown[0]);
            line.start + offset.saturating_sub(line.from).min(line.length)
        };
        let cut = shown.iter().rfind(|line| line.source.start <= spans[0].0).map_or(0, |line| line.cut);
        let labels = labels.iter().zip(&spans).enumerate().map(|(index, (label, (start, end)))| {
            let span = SourceSpan::from(moved(*start)..moved(*end));
            let note = Some(printable_line(&label.text, width)).filter(|note| !note.is_empty());
            if index == 0 { LabeledSpan::new_primary_with_span(note, span) } else { LabeledSpan::new_with_span(note, span) }
        });
        let labels = labels.collect();
        Some(Self { name: printable_line(texts.path(primary.at), 200), text, first_line: first, cut, labels })
    }
}

/// The part of a line that is shown: all of it, or `width` characters around `focus`.
fn visible(text: &str, line: &std::ops::Range<usize>, focus: usize, width: usize) -> (usize, usize) {
    let characters: Vec<usize> = text[line.clone()].char_indices().map(|(at, _)| line.start + at).take(width + 1).collect();
    if characters.len() <= width {
        return (line.start, line.end);
    }
    let end_of = |from: usize| text[from..line.end].char_indices().nth(width).map_or(line.end, |(at, _)| from + at);
    if focus < characters[width / 2] {
        return (line.start, end_of(line.start));
    }
    // A quarter of the width before the place, the rest after it.
    let from = text[line.start..focus].char_indices().rev().nth(width / 4).map_or(line.start, |(at, _)| line.start + at);
    (from, end_of(from))
}

impl SourceCode for Snippet {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, lines_before, lines_after)?;
        // Only a read without context is used for the column in the header.
        let column = inner.column() + if lines_before == 0 { self.cut } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.first_line,
            column,
            inner.line_count(),
        )))
    }
}

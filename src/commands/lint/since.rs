//! `--since REV`: keeps the findings that a change since then touches. The whole workspace is read and judged as ever.
//!
//! A finding is touched when one of its places is: the primary one or a related one, since either side of a shared database
//! may be the new one. A place is touched when one of its lines was added or changed, or when lines were taken away right
//! before, inside or after it: a timeout that is gone leaves nothing else behind. A finding about a file as a whole is touched
//! by any change of the file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use miette::Result;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::git::{Reader, Revision};
use crate::lint::Report;
use crate::workspace::{FileId, Location, Span, Workspace};

/// What is longer, both sides taken together, is not compared line by line but counts as changed from its first changed line to
/// its last one.
const MAX_COMPARED: usize = 100_000;
/// A new file that shares this part of its lines with one that is gone is that one, moved.
const SAME_FILE: f64 = 0.5;
/// How many files that are gone a new one is compared with.
const MAX_CANDIDATES: usize = 50;

/// Takes away the findings that no change since `revision` touches.
pub fn keep_touched(report: &mut Report, workspace: &Workspace, revision: &str) -> Result<()> {
    let revision = Revision::find(workspace.sources.root(), revision)?;
    let mut changes = Changes { workspace, reader: revision.reader()?, revision, gone: None, known: BTreeMap::new() };
    let mut kept = Vec::new();
    for finding in std::mem::take(&mut report.findings) {
        let diagnostic = &finding.diagnostic;
        let mut places = std::iter::once(&diagnostic.primary).chain(&diagnostic.related).map(|label| label.at);
        let touched = places.try_fold(false, |touched, at| Ok::<_, miette::Report>(touched || changes.touch(at)?))?;
        if touched {
            kept.push(finding);
        } else {
            report.summary.unchanged += 1;
        }
    }
    report.findings = kept;
    Ok(())
}

/// The changes of the files that were asked about so far.
struct Changes<'w> {
    workspace: &'w Workspace,
    revision: Revision,
    reader: Reader,
    /// Files that are no longer where they were, with what they held, once a new one was asked about.
    gone: Option<Vec<(String, String)>>,
    known: BTreeMap<FileId, (String, Lines)>,
}

impl Changes<'_> {
    fn touch(&mut self, at: Location) -> Result<bool> {
        if !self.known.contains_key(&at.file) {
            let text = self.workspace.sources.text(at.file).unwrap_or_default();
            let lines = match self.old_text(self.workspace.sources.path(at.file).as_str(), &text)? {
                Some(old) => Lines::between(&old, &text),
                None => Lines::all(),
            };
            self.known.insert(at.file, (text, lines));
        }
        let (text, lines) = &self.known[&at.file];
        Ok(if at.span == Span::default() { !lines.is_empty() } else { lines.touch(text, at.span) })
    }

    /// What the file held, there or where it was moved from; `None` for a new one.
    fn old_text(&mut self, path: &str, text: &str) -> Result<Option<String>> {
        if let Some(object) = self.revision.object(path) {
            return self.reader.text(object).map(Some);
        }
        let name = |path: &str| Path::new(path).file_name().map(ToOwned::to_owned);
        let kind = |path: &str| Path::new(path).extension().map(ToOwned::to_owned);
        let gone = self.gone.get_or_insert_with(|| self.revision.gone());
        let mut candidates: Vec<_> = gone.iter().filter(|(gone, _)| kind(gone) == kind(path)).collect();
        candidates.sort_by_key(|(gone, _)| (name(gone) != name(path), gone));
        let mut best: Option<(f64, String)> = None;
        for (_, object) in candidates.into_iter().take(MAX_CANDIDATES) {
            let old = self.reader.text(object)?;
            let alike = likeness(&old, text);
            if alike >= SAME_FILE && best.as_ref().is_none_or(|(known, _)| alike > *known) {
                best = Some((alike, old));
            }
        }
        Ok(best.map(|(_, old)| old))
    }
}

/// The part of the longer text's lines that the other one has too, wherever they stand.
fn likeness(one: &str, other: &str) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    one.lines().for_each(|line| *left.entry(line).or_default() += 1);
    let shared = other.lines().filter(|line| {
        let known = left.get_mut(line).filter(|count| **count > 0);
        known.map(|count| *count -= 1).is_some()
    });
    let longer = one.lines().count().max(other.lines().count());
    shared.count() as f64 / longer.max(1) as f64
}

/// Which lines of a text are not as they were, as ranges of line indices (from 0). An empty range at n: lines are gone
/// between line n - 1 and line n.
#[derive(Debug, PartialEq, Eq)]
struct Lines(Vec<std::ops::Range<usize>>);

impl Lines {
    fn all() -> Self {
        Self(std::iter::once(0..usize::MAX).collect())
    }

    fn between(old: &str, new: &str) -> Self {
        // `lines` takes `\r\n` for a line break too: a checkout may have made one of `\n`.
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        if old.len() + new.len() > MAX_COMPARED {
            let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
            let head = old.iter().zip(&new).take_while(same).count();
            let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
            let is_same = head + tail == old.len().max(new.len());
            return Self(Some(head..new.len() - tail).filter(|_| !is_same).into_iter().collect());
        }
        let changed = capture_diff_slices(Algorithm::Histogram, &old, &new).into_iter();
        let changed = changed.filter(|part| !matches!(part, DiffOp::Equal { .. }));
        Self(changed.map(|part| part.new_range()).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn touch(&self, text: &str, span: Span) -> bool {
        let line_of = |offset: u32| text.bytes().take(offset as usize).filter(|byte| *byte == b'\n').count();
        let (first, last) = (line_of(span.start), line_of(span.end.saturating_sub(1).max(span.start)));
        self.0.iter().any(|changed| {
            if changed.is_empty() {
                // The lines on both sides of the gap.
                first <= changed.start && changed.start <= last + 1
            } else {
                first < changed.end && changed.start <= last
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "a\nb\nc\nd\n";

    /// Each case: the old text, and which of the lines of the new one are touched.
    #[test]
    fn lines() {
        for (old, touched) in [
            ("a\nb\nc\nd\n", ""),
            ("a\r\nb\r\nc\r\nd", ""),
            ("a\nx\nc\nd\n", "b"),
            ("a\nc\nd\n", "b"),
            ("a\nb\nx\nc\nd\n", "bc"),
            ("x\na\nb\nc\nd\n", "a"),
            ("a\nb\nc\nd\nx\n", "d"),
            ("", "abcd"),
        ] {
            let lines = Lines::between(old, NEW);
            let found = NEW.char_indices().filter(|(_, c)| *c != '\n');
            let found: String = found.filter(|(at, _)| lines.touch(NEW, Span::new(*at, at + 1))).map(|(_, c)| c).collect();
            assert_eq!(found, touched, "{old:?}");
        }
        assert!(Lines::between("a\nx\nc\nd\n", NEW).touch(NEW, Span::new(0, 3)), "one line of a place is enough");
        assert!(Lines::all().touch(NEW, Span::new(0, 1)));
    }

    #[test]
    fn a_very_long_text_is_compared_from_both_ends() {
        let long = |middle: &str| format!("{}{middle}\n{}", "head\n".repeat(60_000), "tail\n".repeat(60_000));
        assert_eq!(Lines::between(&long("old"), &long("new")), Lines(std::iter::once(60_000..60_001).collect()));
        assert_eq!(Lines::between(&long("old"), &long("old")), Lines(Vec::new()));
    }

    #[test]
    fn moved_files_are_alike() {
        assert_eq!(likeness("a\nb\n", "b\na\n"), 1.0);
        assert_eq!(likeness("a\na\na\na\n", "a\nb\n"), 0.25);
        assert_eq!(likeness("", ""), 0.0);
    }
}

//! Changes that mend findings: text edits, planned file by file, never in the middle of a fix.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::file_tree::FileTree;
use crate::workspace::{FileId, Location, Sources};

/// What may change when a fix is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Applicability {
    /// The program means the same after it, but for the fault.
    Safe,
    /// What the program does changes, or a value was chosen for the reader to look at.
    Unsafe,
}

impl Applicability {
    /// As every format prints it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
        }
    }
}

/// Replaces the text at a place; an empty place inserts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    pub at: Location,
    pub text: String,
}

/// Edits that belong together: all are applied or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What it does, in the imperative: "add `--locked`".
    pub title: String,
    pub applicability: Applicability,
    pub edits: Vec<Edit>,
}

impl Fix {
    pub fn safe(title: impl Into<String>) -> Self {
        Self { title: title.into(), applicability: Applicability::Safe, edits: Vec::new() }
    }

    pub fn unsafe_(title: impl Into<String>) -> Self {
        Self { applicability: Applicability::Unsafe, ..Self::safe(title) }
    }

    pub fn replace(mut self, at: Location, text: impl Into<String>) -> Self {
        self.edits.push(Edit { at, text: text.into() });
        self
    }

    /// Inserts before the place.
    pub fn before(self, mut at: Location, text: impl Into<String>) -> Self {
        at.span.end = at.span.start;
        self.replace(at, text)
    }

    /// Inserts after the place.
    pub fn after(self, mut at: Location, text: impl Into<String>) -> Self {
        at.span.start = at.span.end;
        self.replace(at, text)
    }
}

/// What [`plan`] made of the fixes of a report.
#[derive(Debug, Default)]
pub struct Planned {
    /// Changed files, paths from the audited root.
    pub tree: FileTree,
    /// Findings that those changes mend, indices into the findings given.
    pub mended: Vec<usize>,
    /// Files whose fixes are left out, because the file changed meanwhile or would no longer parse, and why.
    pub refused: Vec<(FileId, String)>,
    /// Fixes that touch what another one changes: for the next round.
    pub postponed: usize,
}

/// Plans all fixes up to `applicability`, in the order of the findings. `complain` says what is wrong with a file's new text.
pub fn plan(
    sources: &Sources,
    findings: &[Finding],
    applicability: Applicability,
    complain: impl Fn(FileId, &str) -> Option<String>,
) -> Planned {
    let mut refused: Vec<(FileId, String)> = Vec::new();
    // A fix that touches several files is left out whole when one of them refuses, and makes room for others.
    loop {
        let mut planned = Planned::default();
        let mut edits: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
        for (index, finding) in findings.iter().enumerate() {
            let Some(fix) = finding.diagnostic.fix.as_ref().filter(|fix| fix.applicability <= applicability) else { continue };
            let refuses = |edit: &Edit| refused.iter().any(|(file, _)| *file == edit.at.file);
            if fix.edits.is_empty() || fix.edits.iter().any(refuses) {
                continue;
            }
            let others = |file| edits.get(&file).into_iter().flatten().copied();
            if fix.edits.iter().any(|edit| others(edit.at.file).any(|known| known != edit && overlap(known, edit))) {
                planned.postponed += 1;
                continue;
            }
            fix.edits.iter().for_each(|edit| edits.entry(edit.at.file).or_default().push(edit));
            planned.mended.push(index);
        }
        let problem = edits.into_iter().find_map(|(file, mut edits)| {
            edits.sort();
            // Two findings may ask for the same.
            edits.dedup();
            let Some((old, new)) = changed(sources, file, &edits) else {
                return Some((file, "it changed while it was audited".to_owned()));
            };
            if let Some(problem) = complain(file, &new) {
                return Some((file, format!("it would no longer be valid: {problem}")));
            }
            planned.tree.replace(sources.path(file), old, new);
            None
        });
        match problem {
            Some(problem) => refused.push(problem),
            None => return Planned { refused, ..planned },
        }
    }
}

/// Two insertions at one place, or replacements that share a byte: their order would decide what comes out.
fn overlap(one: &Edit, other: &Edit) -> bool {
    let (a, b) = (one.at.span, other.at.span);
    a.start == b.start || (a.start < b.end && b.start < a.end)
}

/// The text of a file before and after its edits, which are in order.
fn changed(sources: &Sources, file: FileId, edits: &[&Edit]) -> Option<(String, String)> {
    let old = sources.text(file)?;
    let mut new = String::with_capacity(old.len());
    let mut at = 0;
    for edit in edits {
        let (start, end) = (edit.at.span.start as usize, edit.at.span.end as usize);
        new += old.get(at..start)?;
        old.get(start..end)?;
        new += &edit.text;
        at = end;
    }
    new += &old[at..];
    Some((old, new))
}

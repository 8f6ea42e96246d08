//! `--add-allow`: comments that allow what is reported, planned file by file.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, own};
use crate::file_tree::FileTree;
use crate::workspace::{FileId, Workspace, comment, load};

/// What [`plan`] made of a report.
#[derive(Debug, Default)]
pub struct Planned {
    /// Changed files, paths from the audited root.
    pub tree: FileTree,
    /// Number of findings that the comments allow.
    pub allowed: usize,
    /// Findings that no comment can allow, indices into those given, and why.
    pub left: Vec<(usize, &'static str)>,
}

/// Plans a comment with `reason` above each finding; those about one line share one.
pub fn plan(workspace: &Workspace, findings: &[Finding], reason: &str) -> Planned {
    let mut planned = Planned::default();
    let mut by_file: BTreeMap<FileId, Vec<usize>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if own::ALL.contains(&finding.rule) {
            planned.left.push((index, "mend what it says: it is about the comments and files themselves"));
        } else {
            by_file.entry(finding.diagnostic.primary.at.file).or_default().push(index);
        }
    }
    for (file, indices) in by_file {
        let path = workspace.sources.path(file);
        let text = workspace.sources.text(file).unwrap_or_default();
        let mut lines: BTreeMap<usize, (comment::Place, BTreeSet<&str>)> = BTreeMap::new();
        let mut covered = Vec::new();
        for index in indices {
            let finding = &findings[index];
            match comment::place(path, &text, finding.diagnostic.primary.at.span) {
                Some(place) => {
                    covered.push(index);
                    lines.entry(place.offset).or_insert_with(|| (place, BTreeSet::new())).1.insert(finding.rule.id);
                }
                None => planned.left.push((index, "no comment can stand there: set its level under [lint.paths] in msvc.toml")),
            }
        }
        let mut new = text.clone();
        for (offset, (place, rules)) in lines.into_iter().rev() {
            let rules: Vec<&str> = rules.into_iter().collect();
            new.insert_str(offset, &place.line(&format!("allow({}) because {reason}", rules.join(", "))));
        }
        if load::complaint(path, &new).is_some() {
            let why = "the file would no longer be valid with a comment: set its level under [lint.paths] in msvc.toml";
            planned.left.extend(covered.into_iter().map(|index| (index, why)));
        } else if !covered.is_empty() {
            planned.allowed += covered.len();
            planned.tree.replace(path, text, new);
        }
    }
    planned.left.sort_unstable();
    planned
}

/// A reason as a comment can hold it: one line, with a word in it.
///
/// # Errors
/// What is wrong with it.
pub fn reason(text: &str) -> Result<&str, &'static str> {
    let text = text.trim();
    let text = text.strip_prefix("because ").unwrap_or(text).trim_start();
    match text {
        text if text.chars().any(char::is_control) => Err("a reason is one line of text"),
        text if !text.chars().any(char::is_alphanumeric) => {
            Err("a reason says why, for the next reader to judge whether it still holds")
        }
        text => Ok(text),
    }
}

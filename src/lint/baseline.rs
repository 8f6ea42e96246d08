//! Findings that a team lives with for now: a file that takes them away until they are mended, and only ever shrinks.
//!
//! An entry is kept by rule, file and the text of its line (see [`super::identity`]), so it survives lines that move, and files
//! that do where their old place is empty. Alike lines of one file are counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::identity::Identities;
use super::{Finding, Rule};
use crate::workspace::Workspace;

pub const SCHEMA: &str = "cargo-msvc/baseline/1";

/// The file as it is written: JSON, an entry a line, in order, so that two branches merge.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    findings: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    rule: String,
    /// Hash of the line's text, in hexadecimal.
    content: String,
    count: u32,
}

/// What tells one entry from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    file: String,
    rule: String,
    content: String,
}

/// How many findings each entry takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline(BTreeMap<Key, usize>);

/// What a baseline did to a report.
pub struct Applied {
    /// What it does not hold.
    pub kept: Vec<Finding>,
    /// Number of findings that it took away.
    pub taken: usize,
    /// Entries that match nothing any more: `file: rule`, each with how many findings are gone.
    pub stale: Vec<(String, usize)>,
    /// The same baseline without those, with moved files where they are now.
    pub shrunk: Baseline,
}

impl Baseline {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.schema != SCHEMA {
            return Err(format!("its schema is {:?}, this version reads {SCHEMA:?}", document.schema));
        }
        let mut entries = BTreeMap::new();
        for Entry { file, rule, content, count } in document.findings {
            *entries.entry(Key { file, rule, content }).or_default() += count as usize;
        }
        Ok(Self(entries))
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let line = |(key, count): (&Key, &usize)| {
            let Key { file, rule, content } = key.clone();
            serde_json::to_string(&Entry { file, rule, content, count: u32::try_from(*count).unwrap_or(u32::MAX) })
                .expect("strings and a number are JSON")
        };
        let lines: Vec<String> = self.0.iter().map(line).map(|line| format!("    {line}")).collect();
        let findings = if lines.is_empty() { String::new() } else { format!("\n{}\n  ", lines.join(",\n")) };
        format!("{{\n  \"schema\": \"{SCHEMA}\",\n  \"findings\": [{findings}]\n}}\n")
    }

    /// One that holds all of `findings`. `prefix` stands before every path: the audited root, as seen from where the file is.
    pub fn of(findings: &[Finding], workspace: &Workspace, prefix: &str) -> Self {
        let mut identities = Identities::new(&workspace.sources);
        let mut entries = BTreeMap::new();
        findings.iter().for_each(|finding| *entries.entry(key(finding, workspace, prefix, &mut identities)).or_default() += 1);
        Self(entries)
    }

    /// How many findings it holds.
    pub fn len(&self) -> usize {
        self.0.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes away the findings it holds. `asked` says whether a rule could speak about a file, both by name: other entries are
    /// left alone, and so are those about files outside of the audited root.
    pub fn apply(
        &self,
        findings: Vec<Finding>,
        workspace: &Workspace,
        prefix: &str,
        asked: impl Fn(&str, &str) -> bool,
    ) -> Applied {
        let mut identities = Identities::new(&workspace.sources);
        let mut left = self.clone();
        let mut shrunk = Self::default();
        let (mut kept, mut taken) = (Vec::new(), 0);
        for finding in findings {
            let key = key(&finding, workspace, prefix, &mut identities);
            if left.take(&key) {
                *shrunk.0.entry(key).or_default() += 1;
                taken += 1;
            } else {
                kept.push((key, finding));
            }
        }
        // What is left of files that are gone may be about those that are new.
        let files: BTreeSet<String> = workspace.sources.iter().map(|(_, path)| format!("{prefix}{path}")).collect();
        kept.retain(|(key, _)| {
            let moved = |known: &Key| known.rule == key.rule && known.content == key.content && !files.contains(&known.file);
            let Some(known) = left.0.keys().find(|known| moved(known)).cloned() else { return true };
            left.take(&known);
            *shrunk.0.entry(key.clone()).or_default() += 1;
            taken += 1;
            false
        });
        let mut stale = BTreeMap::new();
        for (key, count) in left.0 {
            if key.file.strip_prefix(prefix).is_some_and(|path| asked(&key.rule, path)) {
                *stale.entry(format!("{}: {}", key.file, key.rule)).or_default() += count;
            } else {
                *shrunk.0.entry(key).or_default() += count;
            }
        }
        let kept = kept.into_iter().map(|(_, finding)| finding).collect();
        Applied { kept, taken, stale: stale.into_iter().collect(), shrunk }
    }

    /// Counts one finding of an entry off.
    fn take(&mut self, key: &Key) -> bool {
        let Some(count) = self.0.get_mut(key) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(key);
        }
        true
    }
}

fn key(finding: &Finding, workspace: &Workspace, prefix: &str, identities: &mut Identities) -> Key {
    let rule: &Rule = finding.rule;
    Key {
        file: format!("{prefix}{}", workspace.sources.path(finding.diagnostic.primary.at.file)),
        rule: rule.id.to_owned(),
        content: format!("{:016x}", identities.content(finding)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let empty = "{\n  \"schema\": \"cargo-msvc/baseline/1\",\n  \"findings\": []\n}\n";
        assert_eq!(Baseline::parse(empty).unwrap().render(), empty);
        let two = empty.replace(
            "[]",
            "[\n    {\"file\":\"a\",\"rule\":\"b\",\"content\":\"00\",\"count\":2},\n    {\"file\":\"a\",\"rule\":\"c\",\"content\":\"00\",\"count\":1}\n  ]",
        );
        let baseline = Baseline::parse(&two).unwrap();
        assert_eq!((baseline.len(), baseline.render()), (3, two.clone()));
        for (text, said) in [
            ("", "line 1"),
            (&two.replace(",\n", "\n<<<<<<< ours\n"), "line 3"),
            (&two.replace("baseline/1", "baseline/2"), "this version reads"),
            (&two.replace("count", "cuont"), "unknown field `cuont`"),
            (&two.replace("\"count\":2", "\"count\":-2"), "line 4"),
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

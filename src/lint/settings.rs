//! Which rules speak, and how loudly: `msvc.toml`, package metadata and the command line, resolved.

use std::collections::BTreeMap;

use super::{Level, Practice, Rule, Tier};

/// What a person asked for. The default runs every default rule at its own level.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rules above this tier run only when something names them.
    pub tier: Tier,
    /// Levels for the whole tree.
    pub levels: Levels,
    /// Levels for findings about one package, by index into [`crate::workspace::Workspace::packages`].
    pub packages: BTreeMap<usize, Levels>,
    /// When not empty: these only.
    pub select: Vec<Selector>,
    /// Never these.
    pub ignore: Vec<Selector>,
}

/// Stated levels. A rule's own goes before its practice's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub rules: BTreeMap<&'static str, Level>,
    pub practices: BTreeMap<Practice, Level>,
}

/// A rule, or all rules of a practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    Rule(&'static Rule),
    Practice(Practice),
}

/// A word that names no rule and no practice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no rule and no practice")]
pub struct UnknownSelector {
    pub given: String,
    /// The valid word nearest to it, if one is near.
    pub nearest: Option<&'static str>,
}

impl Settings {
    /// How loudly `rule` speaks about `package` (an index); `Allow` is not at all.
    pub fn level(&self, rule: &Rule, package: Option<usize>) -> Level {
        let named = self.select.iter().any(|selector| matches!(selector, Selector::Rule(selected) if *selected == rule));
        let selected =
            self.select.is_empty() || self.select.iter().any(|selector| selector.covers(rule)) || rule.practice.is_none();
        if !selected || self.ignore.iter().any(|selector| selector.covers(rule)) {
            return Level::Allow;
        }
        let in_package = package.and_then(|package| self.packages.get(&package)).and_then(|levels| levels.of(rule));
        let stated = in_package.or_else(|| self.levels.of(rule));
        match stated {
            // Who asks for one rule by name wants to see it.
            Some(Level::Allow) | None if named => rule.level,
            Some(level) => level,
            None if rule.tier <= self.tier => rule.level,
            None => Level::Allow,
        }
    }

    /// Whether `rule` can speak anywhere.
    pub fn runs(&self, rule: &Rule) -> bool {
        self.level(rule, None) > Level::Allow
            || self.packages.keys().any(|&package| self.level(rule, Some(package)) > Level::Allow)
    }
}

impl Levels {
    fn of(&self, rule: &Rule) -> Option<Level> {
        self.rules.get(rule.id).or_else(|| self.practices.get(&rule.practice?)).copied()
    }

    pub fn set(&mut self, selector: Selector, level: Level) {
        match selector {
            Selector::Rule(rule) => self.rules.insert(rule.id, level),
            Selector::Practice(practice) => self.practices.insert(practice, level),
        };
    }
}

impl Selector {
    /// Reads a rule's id or code, or a practice's id; codes in any case.
    pub fn parse(text: &str, rules: &[&'static Rule]) -> Result<Self, UnknownSelector> {
        let text = text.trim();
        if let Some(rule) = rules.iter().find(|rule| rule.id == text || rule.code.eq_ignore_ascii_case(text)) {
            return Ok(Self::Rule(rule));
        }
        if let Some(practice) = Practice::ALL.into_iter().find(|practice| practice.id() == text) {
            return Ok(Self::Practice(practice));
        }
        let words = rules.iter().flat_map(|rule| [rule.id, rule.code]).chain(Practice::ALL.map(Practice::id));
        Err(UnknownSelector { given: text.to_owned(), nearest: nearest(text, words) })
    }

    fn covers(self, rule: &Rule) -> bool {
        match self {
            Self::Rule(selected) => selected == rule,
            Self::Practice(practice) => rule.practice == Some(practice),
        }
    }
}

impl UnknownSelector {
    /// "did you mean `shared-database`? …"
    pub fn help(&self) -> String {
        let list = "`cargo msvc lint --list-rules` lists all rules";
        self.nearest.map_or_else(|| list.to_owned(), |nearest| format!("did you mean `{nearest}`? {list}"))
    }
}

/// The word most like `text`, if any is alike enough to be a slip of the keyboard.
pub fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let text = text.to_lowercase().replace('_', "-");
    let scored = words.into_iter().map(|word| (strsim::jaro_winkler(&text, &word.to_lowercase()), word));
    // Ties go to the first, so the answer does not depend on anything but the list.
    let best = scored.fold(None, |best: Option<(f64, &str)>, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.filter(|(score, _)| *score > 0.8).map(|(_, word)| word)
}

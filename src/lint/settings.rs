//! Which rules speak, and how loudly: `msvc.toml`, package metadata and the command line, resolved.

use std::collections::BTreeMap;

use cargo_metadata::camino::Utf8Path;

use super::{Level, Practice, Rule, Tier};
pub use crate::service::nearest;

/// What a person asked for. The default runs every default rule at its own level.
///
/// From the whole tree to one path, what is nearer to a finding goes first; the command line goes before all of it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rules above this tier run only when something names them.
    pub tier: Tier,
    /// Levels for the whole tree.
    pub levels: Levels,
    /// Levels for findings about one package, by index into [`crate::workspace::Workspace::packages`].
    pub packages: BTreeMap<usize, Levels>,
    /// Levels for findings about one service, by its name.
    pub services: BTreeMap<String, Levels>,
    /// Levels for findings in some paths; where several match, the last goes first.
    pub paths: Vec<(Paths, Levels)>,
    /// What the command line says.
    pub command: Levels,
    /// When not empty: these only.
    pub select: Vec<Selector>,
    /// Never these.
    pub ignore: Vec<Selector>,
}

/// Stated levels. A rule's own goes before its practice's, and that before `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub rules: BTreeMap<&'static str, Stated>,
    pub practices: BTreeMap<Practice, Stated>,
    /// For everything that would be reported anyway: it wakes no rule.
    pub all: Option<Stated>,
}

/// A level, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    pub level: Level,
    /// As a person can find it: `msvc.toml:3`, `--deny`.
    pub origin: String,
}

/// Files that a pattern names, or that stand below a directory it names.
#[derive(Clone, Debug)]
pub struct Paths {
    pattern: glob::Pattern,
    /// The audited root, as seen from where the pattern counts: empty, or ends in `/`.
    prefix: String,
}

/// What a finding is about, as far as levels differ by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Index into [`crate::workspace::Workspace::packages`].
    pub package: Option<usize>,
    pub service: Option<&'a str>,
    /// From the audited root.
    pub path: Option<&'a Utf8Path>,
}

/// A rule, all rules of a practice, or all rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    Rule(&'static Rule),
    Practice(Practice),
    All,
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
    /// How loudly `rule` speaks there; `Allow` is not at all.
    pub fn level(&self, rule: &Rule, place: Place) -> Level {
        self.decide(rule, place).0
    }

    /// The same, and who decided.
    pub fn decide<'s>(&'s self, rule: &Rule, place: Place<'s>) -> (Level, &'s str) {
        if !self.select.is_empty() && !self.select.iter().any(|selector| selector.covers(rule)) && rule.practice.is_some() {
            return (Level::Allow, "--select");
        }
        if self.ignore.iter().any(|selector| selector.covers(rule)) {
            return (Level::Allow, "--ignore");
        }
        let mut now = match rule.tier {
            tier if tier <= self.tier => (rule.level, "default"),
            Tier::Pedantic => (Level::Allow, "asked for by tier pedantic"),
            _ => (Level::Allow, "asked for by tier auditor"),
        };
        self.scopes(place).for_each(|levels| levels.apply(rule, &mut now));
        // Who asks for one rule by name wants to see it.
        if now.0 == Level::Allow && self.select.iter().any(|selector| matches!(selector, Selector::Rule(named) if *named == rule))
        {
            now = (rule.level, "--select");
        }
        self.command.apply(rule, &mut now);
        now
    }

    /// Whether `rule` can speak anywhere.
    pub fn runs(&self, rule: &Rule) -> bool {
        let woken = |levels: &&Levels| levels.of(rule).is_some_and(|stated| stated.level > Level::Allow);
        let mut nearer = self.packages.values().chain(self.services.values()).chain(self.paths.iter().map(|(_, levels)| levels));
        match self.decide(rule, Place::default()) {
            (Level::Allow, "--select" | "--ignore") => false,
            (Level::Allow, _) => {
                self.command.of(rule).is_none() && !self.command.silences_all() && nearer.any(|levels| woken(&levels))
            }
            _ => true,
        }
    }

    /// Whether levels differ from place to place.
    pub fn differ(&self) -> bool {
        !(self.packages.is_empty() && self.services.is_empty() && self.paths.is_empty())
    }

    /// What speaks about a place, from the whole to the nearest.
    fn scopes<'s>(&'s self, place: Place<'s>) -> impl Iterator<Item = &'s Levels> {
        let package = place.package.and_then(|package| self.packages.get(&package));
        let service = place.service.and_then(|service| self.services.get(service));
        let paths = self.paths.iter().filter(move |(paths, _)| place.path.is_some_and(|path| paths.hold(path)));
        std::iter::once(&self.levels).chain(package).chain(service).chain(paths.map(|(_, levels)| levels))
    }
}

impl Levels {
    fn of(&self, rule: &Rule) -> Option<&Stated> {
        self.rules.get(rule.id).or_else(|| self.practices.get(&rule.practice?))
    }

    fn silences_all(&self) -> bool {
        self.all.as_ref().is_some_and(|stated| stated.level == Level::Allow)
    }

    fn apply<'s>(&'s self, rule: &Rule, now: &mut (Level, &'s str)) {
        let all = self.all.as_ref().filter(|_| now.0 > Level::Allow);
        if let Some(stated) = self.of(rule).or(all) {
            *now = (stated.level, &stated.origin);
        }
    }

    pub fn set(&mut self, selector: Selector, level: Level, origin: impl Into<String>) {
        let stated = Stated { level, origin: origin.into() };
        match selector {
            Selector::Rule(rule) => drop(self.rules.insert(rule.id, stated)),
            Selector::Practice(practice) => drop(self.practices.insert(practice, stated)),
            Selector::All => self.all = Some(stated),
        }
    }

    /// Every word that has a level, as it is written, and what is stated.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Stated)> {
        let all = self.all.iter().map(|stated| ("all", stated));
        let practices = self.practices.iter().map(|(practice, stated)| (practice.id(), stated));
        all.chain(practices).chain(self.rules.iter().map(|(rule, stated)| (*rule, stated)))
    }
}

impl Paths {
    /// `prefix` is the audited root as seen from where the pattern counts; empty when they are the same.
    ///
    /// # Errors
    /// When it is no pattern, or one that can match nothing.
    pub fn new(pattern: &str, prefix: &str) -> Result<Self, String> {
        let odd = pattern.is_empty() || pattern.starts_with('/') || pattern.contains('\\');
        if odd || pattern.split('/').any(|part| matches!(part, "." | "..")) {
            return Err("it must be relative, with `/` between its parts, and without `.` and `..`".to_owned());
        }
        let parsed = glob::Pattern::new(pattern.trim_end_matches('/')).map_err(|error| error.msg.to_owned())?;
        Ok(Self { pattern: parsed, prefix: prefix.to_owned() })
    }

    pub fn as_str(&self) -> &str {
        self.pattern.as_str()
    }

    fn hold(&self, path: &Utf8Path) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let path = Utf8Path::new(&self.prefix).join(path);
        path.ancestors().any(|part| self.pattern.matches_with(part.as_str(), options))
    }
}

impl Selector {
    /// Reads a rule's id or code, a practice's id, or `all`; codes in any case.
    pub fn parse(text: &str, rules: &[&'static Rule]) -> Result<Self, UnknownSelector> {
        let text = text.trim();
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(rule) = rules.iter().find(|rule| rule.id == text || rule.code.eq_ignore_ascii_case(text)) {
            return Ok(Self::Rule(rule));
        }
        if let Some(practice) = Practice::ALL.into_iter().find(|practice| practice.id() == text) {
            return Ok(Self::Practice(practice));
        }
        Err(UnknownSelector { given: text.to_owned(), nearest: nearest(text, Self::words(rules)) })
    }

    /// Every word that [`Selector::parse`] takes.
    pub fn words(rules: &[&'static Rule]) -> impl Iterator<Item = &'static str> {
        let rules = rules.iter().flat_map(|rule| [rule.id, rule.code]);
        rules.chain(Practice::ALL.map(Practice::id)).chain(["all"])
    }

    fn covers(self, rule: &Rule) -> bool {
        match self {
            Self::Rule(selected) => selected == rule,
            Self::Practice(practice) => rule.practice == Some(practice),
            Self::All => true,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, prefix, path, holds) in [
            ("services/legacy", "", "services/legacy/src/main.rs", true),
            ("services/legacy/", "", "services/legacy/src/main.rs", true),
            ("services/legacy/**", "", "services/legacy/src/main.rs", true),
            ("services/*", "", "services/legacy/src/main.rs", true),
            ("services/l*/src", "", "services/legacy/src/main.rs", true),
            ("services/leg", "", "services/legacy/src/main.rs", false),
            ("*.rs", "", "src/main.rs", false),
            ("**/*.rs", "", "src/main.rs", true),
            ("**/tests", "", "services/a/tests/b.rs", true),
            ("services/orders", "services/", "orders/src/main.rs", true),
            ("orders", "services/", "orders/src/main.rs", false),
        ] {
            assert_eq!(Paths::new(pattern, prefix).unwrap().hold(path.into()), holds, "{pattern} {path}");
        }
        for pattern in ["", "/etc", "../other", "./src", "a\\b", "a**b", "[a"] {
            assert!(Paths::new(pattern, "").is_err(), "{pattern}");
        }
    }
}

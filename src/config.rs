//! `msvc.toml` and `[package.metadata.msvc.lint]`: text to settings, every mistake with its place.
//!
//! ```toml
//! [lint]
//! tier = "pedantic"            # default, pedantic, auditor
//! security = "deny"            # a practice …
//! shared-database = "warn"     # … or one rule, which goes before its practice
//!
//! [deploy]                     # read by `deploy-manifests`
//! ```

use std::path::{Path, PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};
use toml_edit::{Document, Item, TableLike};

use crate::lint::settings::nearest;
use crate::lint::{Level, Levels, Practice, Rule, Selector, Settings, Tier};
use crate::workspace::Workspace;

/// Name of the configuration file.
pub const FILE: &str = "msvc.toml";

const TABLES: [&str; 2] = ["lint", "deploy"];

/// A configuration file, checked as far as its tables are ours to check.
#[derive(Debug, Default)]
pub struct Config {
    pub tier: Tier,
    pub levels: Levels,
    /// `[deploy]`, raw.
    pub deploy: Option<Item>,
    /// Where it was read from and what it says; `None` where there is no file.
    pub source: Option<Source>,
}

/// A text that errors point into.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: String,
    pub text: String,
}

/// What is wrong in a configuration, and where.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct ConfigError {
    pub message: String,
    #[source_code]
    pub source_code: NamedSource<String>,
    #[label("{label}")]
    pub span: SourceSpan,
    pub label: &'static str,
    #[help]
    pub help: Option<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadError {
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(help("make it a readable text file, or remove it"))]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(Box<ConfigError>),
}

/// The configuration for the tree at `root`: its own `msvc.toml`, else the nearest above it, up to the root of the Cargo
/// workspace or repository that holds it. Default settings where there is none.
pub fn load(root: &Path, rules: &[&'static Rule]) -> Result<Config, LoadError> {
    let Some(path) = find(root) else { return Ok(Config::default()) };
    let text = std::fs::read_to_string(&path).map_err(|error| LoadError::Unreadable { path: path.clone(), error })?;
    parse(Source { path: path.display().to_string(), text }, rules).map_err(LoadError::Invalid)
}

fn find(root: &Path) -> Option<PathBuf> {
    for directory in root.ancestors() {
        let path = directory.join(FILE);
        if path.is_file() {
            return Some(path);
        }
        let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
        if manifest.lines().any(|line| line.trim_start().starts_with("[workspace")) || directory.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads the text of a `msvc.toml`.
pub fn parse(source: Source, rules: &[&'static Rule]) -> Result<Config, Box<ConfigError>> {
    let document = Document::parse(source.text.as_str()).map_err(|error| {
        source.error(error.span(), error.message().to_owned(), "here", Some("the file must be valid TOML".to_owned()))
    })?;
    let mut config = Config::default();
    for (key, item) in document.as_table().iter() {
        match key {
            "lint" => (config.tier, config.levels) = lint_table(item, "lint", &source, rules)?,
            "deploy" => config.deploy = Some(item.clone()),
            _ => {
                let span = document.as_table().key(key).and_then(toml_edit::Key::span);
                let help = suggest(key, TABLES, "the tables are `[lint]` and `[deploy]`");
                return Err(source.error(span, format!("`{key}` is no table of {FILE}"), "not known", Some(help)));
            }
        }
    }
    config.source = Some(source);
    Ok(config)
}

/// Adds what the packages' own `[package.metadata.msvc.lint]` say to settings made from `config`.
pub fn resolve(config: &Config, workspace: &Workspace, rules: &[&'static Rule]) -> Result<Settings, Box<ConfigError>> {
    let mut settings = Settings { tier: config.tier, levels: config.levels.clone(), ..Settings::default() };
    for (index, package) in workspace.packages.iter().enumerate() {
        let Some(item) = package.metadata.as_ref().and_then(|metadata| metadata.get("lint")) else { continue };
        let source = Source {
            path: workspace.sources.path(package.manifest).to_string(),
            text: workspace.sources.text(package.manifest).unwrap_or_default(),
        };
        let (tier, levels) = lint_table(item, "package.metadata.msvc.lint", &source, rules)?;
        if tier != Tier::Default {
            let span = item.get("tier").and_then(Item::span);
            let help = format!("set it under `[lint]` in {FILE}, or name the rules that this package wants");
            return Err(source.error(span, "a tier cannot be set for one package".to_owned(), "not for one package", Some(help)));
        }
        settings.packages.insert(index, levels);
    }
    Ok(settings)
}

fn lint_table(item: &Item, name: &str, source: &Source, rules: &[&'static Rule]) -> Result<(Tier, Levels), Box<ConfigError>> {
    let table: &dyn TableLike = item.as_table_like().ok_or_else(|| {
        source.error(item.span(), format!("`{name}` must be a table"), "not a table", Some(format!("write `[{name}]`")))
    })?;
    let mut tier = Tier::Default;
    let mut levels = Levels::default();
    for (key, value) in table.iter() {
        if key == "tier" {
            let tiers = Tier::ALL.map(Tier::id);
            tier = choice(value, key, &tiers, source).map(|at| Tier::ALL[at])?;
            continue;
        }
        let selector = Selector::parse(key, rules).map_err(|unknown| {
            let span = table.key(key).and_then(toml_edit::Key::span);
            source.error(span, format!("{unknown}, nor another key of `[{name}]`"), "not known", Some(unknown.help()))
        })?;
        let level = choice(value, key, &Level::ALL.map(Level::id), source).map(|at| Level::ALL[at])?;
        levels.set(selector, level);
    }
    Ok((tier, levels))
}

/// Index of a string value among `choices`.
fn choice(value: &Item, key: &str, choices: &[&'static str], source: &Source) -> Result<usize, Box<ConfigError>> {
    let known = value.as_str().and_then(|text| choices.iter().position(|choice| *choice == text));
    known.ok_or_else(|| {
        let list = format!("it is one of \"{}\"", choices.join("\", \""));
        let help = value.as_str().map_or(list.clone(), |text| suggest(text, choices.iter().copied(), &list));
        source.error(value.span(), format!("this is no value of `{key}`"), "not known", Some(help))
    })
}

fn suggest(given: &str, valid: impl IntoIterator<Item = &'static str>, otherwise: &str) -> String {
    nearest(given, valid).map_or_else(|| otherwise.to_owned(), |nearest| format!("did you mean `{nearest}`? {otherwise}"))
}

impl Source {
    /// An error that points into this text; at its start where the place is not known.
    pub fn error(
        &self,
        span: Option<std::ops::Range<usize>>,
        message: String,
        label: &'static str,
        help: Option<String>,
    ) -> Box<ConfigError> {
        Box::new(ConfigError {
            message,
            source_code: NamedSource::new(&self.path, self.text.clone()),
            span: SourceSpan::from(span.unwrap_or(0..0)),
            label,
            help,
        })
    }
}

/// Every word that `[lint]` takes as a key, for documentation and tests.
pub fn lint_keys(rules: &[&'static Rule]) -> Vec<&'static str> {
    let practices = Practice::ALL.map(Practice::id);
    std::iter::once("tier").chain(practices).chain(rules.iter().map(|rule| rule.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::own;

    fn parse_text(text: &str) -> Result<Config, Box<ConfigError>> {
        parse(Source { path: FILE.to_owned(), text: text.to_owned() }, own::ALL)
    }

    #[test]
    fn levels_and_tier() {
        let config =
            parse_text("[lint]\ntier = \"pedantic\"\nunused-allow = \"deny\"\nsecurity = 'allow'\n[deploy]\nregistry = 'x'\n")
                .unwrap();
        assert_eq!(config.tier, Tier::Pedantic);
        assert_eq!(config.levels.rules["unused-allow"], Level::Deny);
        assert_eq!(config.levels.practices[&Practice::Security], Level::Allow);
        assert_eq!(config.deploy.unwrap()["registry"].as_str(), Some("x"));
        assert!(parse_text("").unwrap().deploy.is_none());
    }

    /// Each case: a text, the part that the error points at, and words of its message and help.
    #[test]
    fn mistakes_have_a_place_and_a_way_out() {
        for (text, at, message, help) in [
            ("[lnt]\n", "lnt", "no table of msvc.toml", "`lint`"),
            ("[lint]\nunused-alow = 'deny'\n", "unused-alow", "no rule", "`unused-allow`"),
            ("[lint]\nsecurty = 'deny'\n", "securty", "no practice", "`security`"),
            ("[lint]\nunused-allow = 'denny'\n", "'denny'", "no value of `unused-allow`", "`deny`"),
            ("[lint]\nunused-allow = 3\n", "3", "no value", "\"allow\", \"warn\", \"deny\""),
            ("[lint]\ntier = 'all'\n", "'all'", "no value of `tier`", "pedantic"),
            ("lint = 3\n", "3", "must be a table", "[lint]"),
            ("[lint\n", "", "", "valid TOML"),
            ("[lint]\nqqqqqq = 'deny'\n", "qqqqqq", "no rule", "--list-rules"),
        ] {
            let error = parse_text(text).unwrap_err();
            let pointed = &text[error.span.offset()..error.span.offset() + error.span.len()];
            assert!(at.is_empty() || pointed == at, "{text}: points at {pointed:?}");
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert!(error.help.as_deref().unwrap_or_default().contains(help), "{text}: {:?}", error.help);
        }
    }
}

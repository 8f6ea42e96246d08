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

mod lint;

use std::path::{Path, PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};
use toml_edit::{Document, Item};

pub use self::lint::{KEYS, LintConfig, ServiceLevels};
use crate::lint::settings::{Paths, nearest};
use crate::lint::{Rule, Settings};
use crate::workspace::Workspace;

/// Name of the configuration file.
pub const FILE: &str = "msvc.toml";

const TABLES: [&str; 2] = ["lint", "deploy"];

/// A configuration file, checked as far as its tables are ours to check.
#[derive(Debug, Default)]
pub struct Config {
    pub lint: LintConfig,
    /// `[deploy]`, raw.
    pub deploy: Option<Item>,
    /// Where it was read from and what it says; `None` where there is no file.
    pub source: Option<Source>,
}

/// A text that errors point into.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it was read from.
    pub path: PathBuf,
    /// The same as a person knows it: `msvc.toml`.
    pub shown: String,
    pub text: String,
}

/// A mistake in a configuration.
pub type Error = Box<ConfigError>;

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
    let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
    parse(Source { path, shown, text }, rules).map_err(LoadError::Invalid)
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
            "lint" => config.lint = LintConfig::parse(item, &source, rules)?,
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

impl Config {
    /// Directory that paths and patterns of the file count from.
    pub fn directory(&self) -> Option<&Path> {
        self.source.as_ref().and_then(|source| source.path.parent())
    }

    /// File that `[lint] baseline` names.
    pub fn baseline(&self) -> Option<PathBuf> {
        self.lint.baseline.as_ref().map(|(path, _)| self.directory().unwrap_or(Path::new("")).join(path))
    }
}

/// Settings for a tree: what `config` says, and what the packages' own `[package.metadata.msvc.lint]` do.
pub fn resolve(config: &Config, workspace: &Workspace, rules: &[&'static Rule]) -> Result<Settings, Error> {
    let root = workspace.sources.root();
    let above = config.directory().and_then(|directory| root.strip_prefix(directory).ok());
    let prefix = above.map(|above| above.display().to_string().replace('\\', "/")).unwrap_or_default();
    let prefix = if prefix.is_empty() { prefix } else { prefix + "/" };
    let lint = &config.lint;
    let mut settings = Settings {
        tier: lint.tier.as_ref().map(|(tier, _)| *tier).unwrap_or_default(),
        levels: lint.levels.clone(),
        ..Settings::default()
    };
    for (pattern, levels) in &lint.paths {
        // It was parsed before.
        settings.paths.extend(Paths::new(pattern, &prefix).ok().map(|paths| (paths, levels.clone())));
    }
    for ServiceLevels { name, span, levels } in &lint.services {
        let known = || workspace.services.iter().map(|service| service.name.as_str());
        // Of a part of the workspace, other services are not known.
        if let (Some(source), true, false) = (&config.source, prefix.is_empty(), known().any(|known| known == name)) {
            let help = suggest(name, known(), "`cargo msvc lint --show-services` lists them all");
            return Err(source.error(span.clone(), format!("there is no service `{name}`"), "not known", Some(help)));
        }
        settings.services.insert(name.clone(), levels.clone());
    }
    for (index, package) in workspace.packages.iter().enumerate() {
        let Some(item) = package.metadata.as_ref().and_then(|metadata| metadata.get("lint")) else { continue };
        let path = workspace.sources.path(package.manifest);
        let text = workspace.sources.text(package.manifest).unwrap_or_default();
        let source = Source { path: root.join(path), shown: path.to_string(), text };
        settings.packages.insert(index, lint::package_levels(item, &source, rules)?);
    }
    Ok(settings)
}

pub(crate) fn suggest<'w>(given: &str, valid: impl IntoIterator<Item = &'w str>, otherwise: &str) -> String {
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
            source_code: NamedSource::new(self.path.display().to_string(), self.text.clone()),
            span: SourceSpan::from(span.unwrap_or(0..0)),
            label,
            help,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{Level, Practice, Tier, own};

    fn parse_text(text: &str) -> Result<Config, Box<ConfigError>> {
        parse(Source { path: FILE.into(), shown: FILE.to_owned(), text: text.to_owned() }, own::ALL)
    }

    #[test]
    fn levels_and_tier() {
        let config =
            parse_text("[lint]\ntier = \"pedantic\"\nunused-allow = \"deny\"\nsecurity = 'allow'\n[deploy]\nregistry = 'x'\n")
                .unwrap();
        assert_eq!(config.lint.tier, Some((Tier::Pedantic, "msvc.toml:2".to_owned())));
        let stated = &config.lint.levels.rules["unused-allow"];
        assert_eq!((stated.level, stated.origin.as_str()), (Level::Deny, "msvc.toml:3"));
        assert_eq!(config.lint.levels.practices[&Practice::Security].level, Level::Allow);
        assert_eq!(config.deploy.unwrap()["registry"].as_str(), Some("x"));
        assert!(parse_text("").unwrap().deploy.is_none());
    }

    #[test]
    fn tables_of_lint() {
        let config = parse_text(
            "[lint]\nall = 'warn'\nbaseline = 'b.json'\nexternals = ['erp.corp']\n[lint.paths.\"a/*\"]\nall = 'allow'\n\
             [lint.paths.b]\nsecurity = 'deny'\n[lint.services]\norders = { unused-allow = 'deny' }\n",
        );
        let lint = config.unwrap().lint;
        assert_eq!(lint.levels.all.unwrap().level, Level::Warn);
        assert_eq!(lint.baseline, Some(("b.json".to_owned(), "msvc.toml:3".to_owned())));
        assert!(lint.externals.hold("erp.corp"));
        assert_eq!(lint.paths.iter().map(|(pattern, _)| pattern.as_str()).collect::<Vec<_>>(), ["a/*", "b"]);
        assert_eq!(lint.services[0].name, "orders");
        assert_eq!(lint.services[0].levels.rules["unused-allow"].origin, "msvc.toml:10");
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
            ("[lint]\nteir = 'default'\n", "teir", "nor another key of `[lint]`", "`tier`"),
            ("[lint]\nservice-discovry = 'warn'\n", "service-discovry", "no practice", "`service-discovery`"),
            ("[lint]\nbaselin = 'x'\n", "baselin", "nor another key of `[lint]`", "`baseline`"),
            ("[lint]\nbaseline = true\n", "true", "no value of `baseline`", "a path"),
            ("[lint]\nexternals = ['https://erp.corp']\n", "'https://erp.corp'", "no host", "without scheme"),
            ("[lint]\nexternals = 'erp.corp'\n", "'erp.corp'", "no value of `externals`", "a list"),
            ("[lint]\nall = 'off'\n", "'off'", "no value of `all`", "\"allow\""),
            ("[lint.paths]\n'../x' = {}\n", "'../x'", "no pattern", "relative"),
            ("[lint.paths.x]\ntier = 'default'\n", "tier", "nor another key of `[lint.paths.\"x\"]`", ""),
            ("[lint.paths.x]\nsecurty = 'warn'\n", "securty", "no practice", "`security`"),
            ("[lint.services.a]\nal = 'warn'\n", "al", "nor another key of `[lint.services.a]`", "`all`"),
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

//! `[lint]` of `msvc.toml`, and `[package.metadata.msvc.lint]`.

use toml_edit::{Item, TableLike, Value};

use super::{Error, Source};
use crate::lint::settings::{Paths, nearest};
use crate::lint::{Level, Levels, Rule, Selector, Tier};
use crate::workspace::externals::Externals;

/// Keys of `[lint]` that are no rule and no practice.
pub const KEYS: [&str; 6] = ["tier", "all", "baseline", "externals", "paths", "services"];
/// The same of a table that holds levels alone.
const LEVELS: [&str; 1] = ["all"];

/// `[lint]`, read.
#[derive(Debug, Default)]
pub struct LintConfig {
    /// And where it is stated.
    pub tier: Option<(Tier, String)>,
    pub levels: Levels,
    /// As written: from the directory of the file.
    pub baseline: Option<(String, String)>,
    pub externals: Externals,
    /// `[lint.paths."PATTERN"]`, in the order written.
    pub paths: Vec<(String, Levels)>,
    /// `[lint.services.NAME]`.
    pub services: Vec<ServiceLevels>,
}

#[derive(Debug)]
pub struct ServiceLevels {
    pub name: String,
    /// Of the name.
    pub span: Option<std::ops::Range<usize>>,
    pub levels: Levels,
}

impl LintConfig {
    pub fn parse(item: &Item, source: &Source, rules: &[&'static Rule]) -> Result<Self, Error> {
        let reader = Reader { source, rules };
        let table = reader.table(item, "lint")?;
        let mut config = Self::default();
        for (key, value) in table.iter() {
            match key {
                "tier" => {
                    let tiers = Tier::ALL.map(Tier::id);
                    let tier = Tier::ALL[source.choice(value, key, &tiers)?];
                    config.tier = Some((tier, reader.origin(table, key)));
                }
                "baseline" => {
                    let path = value.as_str().filter(|path| !path.is_empty());
                    let path = path.ok_or_else(|| source.wrong(value, key, "it is a path from the directory of this file"))?;
                    config.baseline = Some((path.to_owned(), reader.origin(table, key)));
                }
                "externals" => {
                    let hosts = value.as_array().ok_or_else(|| source.wrong(value, key, "it is a list of hosts"))?;
                    for host in hosts {
                        let declared = config.externals.declare(host.as_str().unwrap_or_default());
                        declared
                            .map_err(|help| source.error(host.span(), "this is no host".to_owned(), "not known", Some(help)))?;
                    }
                }
                "paths" => {
                    for (pattern, item) in reader.table(value, "lint.paths")?.iter() {
                        let name = format!("lint.paths.\"{pattern}\"");
                        Paths::new(pattern, "").map_err(|help| {
                            let span = value.as_table_like().and_then(|table| table.key(pattern)?.span());
                            source.error(span, format!("`{pattern}` is no pattern of paths"), "matches nothing", Some(help))
                        })?;
                        config.paths.push((pattern.to_owned(), reader.levels(item, &name)?));
                    }
                }
                "services" => {
                    let services = reader.table(value, "lint.services")?;
                    for (service, item) in services.iter() {
                        let levels = reader.levels(item, &format!("lint.services.{service}"))?;
                        let span = services.key(service).and_then(toml_edit::Key::span);
                        config.services.push(ServiceLevels { name: service.to_owned(), span, levels });
                    }
                }
                _ => reader.level(table, key, value, "lint", &KEYS, &mut config.levels)?,
            }
        }
        Ok(config)
    }
}

/// `[package.metadata.msvc.lint]`: levels alone.
pub fn package_levels(item: &Item, source: &Source, rules: &[&'static Rule]) -> Result<Levels, Error> {
    let reader = Reader { source, rules };
    let table = reader.table(item, "package.metadata.msvc.lint")?;
    if let Some((key, _)) = table.iter().find(|(key, _)| KEYS.contains(key) && !LEVELS.contains(key)) {
        let span = table.key(key).and_then(toml_edit::Key::span);
        let help = format!("set it under `[lint]` in {}, or name the rules that this package wants", super::FILE);
        return Err(source.error(span, format!("`{key}` cannot be set for one package"), "not for one package", Some(help)));
    }
    reader.levels(item, "package.metadata.msvc.lint")
}

struct Reader<'a> {
    source: &'a Source,
    rules: &'a [&'static Rule],
}

impl Reader<'_> {
    fn table<'i>(&self, item: &'i Item, name: &str) -> Result<&'i dyn TableLike, Error> {
        item.as_table_like().ok_or_else(|| {
            let help = Some(format!("write `[{name}]`"));
            self.source.error(item.span(), format!("`{name}` must be a table"), "not a table", help)
        })
    }

    fn levels(&self, item: &Item, name: &str) -> Result<Levels, Error> {
        let table = self.table(item, name)?;
        let mut levels = Levels::default();
        table.iter().try_for_each(|(key, value)| self.level(table, key, value, name, &LEVELS, &mut levels))?;
        Ok(levels)
    }

    /// One key of a table that sets levels, in which `others` are keys too.
    fn level(
        &self,
        table: &dyn TableLike,
        key: &str,
        value: &Item,
        name: &str,
        others: &[&'static str],
        levels: &mut Levels,
    ) -> Result<(), Error> {
        let selector = Selector::parse(key, self.rules).map_err(|mut unknown| {
            let span = table.key(key).and_then(toml_edit::Key::span);
            unknown.nearest = nearest(key, Selector::words(self.rules).chain(others.iter().copied()));
            let message = format!("{unknown}, nor another key of `[{name}]`");
            self.source.error(span, message, "not known", Some(unknown.help()))
        })?;
        let level = Level::ALL[self.source.choice(value, key, &Level::ALL.map(Level::id))?];
        levels.set(selector, level, self.origin(table, key));
        Ok(())
    }

    /// `msvc.toml:3`
    fn origin(&self, table: &dyn TableLike, key: &str) -> String {
        let start = table.key(key).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
        let line = self.source.text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.source.shown)
    }
}

impl Source {
    /// Index of a string value among `choices`.
    pub(crate) fn choice(&self, value: &Item, key: &str, choices: &[&'static str]) -> Result<usize, Error> {
        let known = value.as_str().and_then(|text| choices.iter().position(|choice| *choice == text));
        known.ok_or_else(|| {
            let list = format!("it is one of \"{}\"", choices.join("\", \""));
            let help = value.as_value().and_then(Value::as_str).map(|text| super::suggest(text, choices.iter().copied(), &list));
            self.wrong(value, key, &help.unwrap_or(list))
        })
    }

    pub(crate) fn wrong(&self, value: &Item, key: &str, help: &str) -> Error {
        self.error(value.span(), format!("this is no value of `{key}`"), "not known", Some(help.to_owned()))
    }
}

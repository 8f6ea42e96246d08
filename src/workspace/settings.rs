//! Configuration files as flat keys: TOML, YAML, JSON and `.env`.

use cargo_metadata::camino::Utf8Path;
use toml_edit::{Item, Value as TomlValue};

use super::sources::{FileId, Span};
use super::yaml::{self, Failure, Node, Value};

/// One configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub file: FileId,
    pub format: Format,
    /// In the order written.
    pub entries: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `server.port`; items of a list by their index: `hosts.0`. A variable's name in an `.env` file.
    pub key: String,
    /// As text, whatever its type.
    pub value: String,
    /// Of the value.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Env,
    Toml,
    /// JSON too.
    Yaml,
}

impl Settings {
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// How to read a path as configuration; `None` for everything that does not look like it.
pub fn format(path: &Utf8Path) -> Option<Format> {
    let name = path.file_name()?.to_ascii_lowercase();
    if name == ".env" || name.starts_with(".env.") || name.ends_with(".env") {
        return Some(Format::Env);
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let format = match extension {
        "toml" => Format::Toml,
        "yaml" | "yml" | "json" => Format::Yaml,
        _ => return None,
    };
    // Files of tools, that say nothing about a service.
    const TOOLS: &[&str] = &["tsconfig", "jsconfig", "package", "package-lock", "pre-commit-config", "clippy", "rustfmt", "deny"];
    let stem = stem.trim_start_matches('.');
    if TOOLS.contains(&stem) || name.starts_with('.') {
        return None;
    }
    const WORDS: &[&str] = &[
        "config",
        "configuration",
        "conf",
        "settings",
        "setting",
        "appsettings",
        "appconfig",
        "rocket",
        "log4rs",
        "application",
        "secrets",
    ];
    let by_name = stem.split(['.', '-', '_']).any(|word| WORDS.contains(&word));
    const FOLDERS: &[&str] = &["config", "configs", "conf", "configuration", "settings"];
    let by_folder = path.parent().is_some_and(|folder| folder.iter().any(|part| FOLDERS.contains(&part)));
    (by_name || by_folder).then_some(format)
}

/// Facts of one configuration file.
///
/// # Errors
/// What is wrong with it.
pub fn parse(file: FileId, format: Format, text: &str) -> Result<Settings, Failure> {
    let mut entries = Vec::new();
    match format {
        Format::Env => entries = env_entries(text),
        Format::Toml => {
            let document = toml_edit::Document::parse(text).map_err(|error| {
                let span = error.span().map_or(Span::default(), |span| Span::new(span.start, span.end));
                let template = yaml::has_template_tags(text);
                if template { Failure::Template } else { Failure::Invalid { span, message: error.message().to_owned() } }
            })?;
            flatten_toml("", document.as_item(), &mut entries);
        }
        Format::Yaml => yaml::parse(text)?.iter().for_each(|document| flatten_yaml("", document, &mut entries)),
    }
    Ok(Settings { file, format, entries })
}

/// `NAME=value`, `export NAME="value"`; comments and everything else are skipped.
fn env_entries(text: &str) -> Vec<Setting> {
    let mut entries = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let start = line_start;
        line_start += line.len();
        let trimmed = line.trim();
        let Some((name, value)) = trimmed.strip_prefix("export ").unwrap_or(trimmed).split_once('=') else { continue };
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            continue;
        }
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| {
            let inner = value.strip_prefix(quote)?;
            Some(&inner[..inner.find(quote)?])
        });
        let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim_end());
        // A sub-slice of the line: its place is the difference of the addresses.
        let at = start + (value.as_ptr() as usize - line.as_ptr() as usize);
        entries.push(Setting { key: name.to_owned(), value: value.to_owned(), span: Span::new(at, at + value.len()) });
    }
    entries
}

fn key_below(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn flatten_toml(prefix: &str, item: &Item, entries: &mut Vec<Setting>) {
    match item {
        Item::Table(table) => table.iter().for_each(|(key, item)| flatten_toml(&key_below(prefix, key), item, entries)),
        Item::ArrayOfTables(tables) => tables.iter().enumerate().for_each(|(index, table)| {
            let prefix = key_below(prefix, &index.to_string());
            table.iter().for_each(|(key, item)| flatten_toml(&key_below(&prefix, key), item, entries));
        }),
        Item::Value(value) => flatten_toml_value(prefix, value, entries),
        Item::None => {}
    }
}

fn flatten_toml_value(prefix: &str, value: &TomlValue, entries: &mut Vec<Setting>) {
    let text = match value {
        TomlValue::InlineTable(table) => {
            return table.iter().for_each(|(key, value)| flatten_toml_value(&key_below(prefix, key), value, entries));
        }
        TomlValue::Array(array) => {
            let items = array.iter().enumerate();
            return items.for_each(|(index, value)| flatten_toml_value(&key_below(prefix, &index.to_string()), value, entries));
        }
        TomlValue::String(text) => text.value().clone(),
        TomlValue::Integer(number) => number.value().to_string(),
        TomlValue::Float(number) => number.value().to_string(),
        TomlValue::Boolean(flag) => flag.value().to_string(),
        TomlValue::Datetime(time) => time.value().to_string(),
    };
    let span = value.span().map_or(Span::default(), |span| Span::new(span.start, span.end));
    entries.push(Setting { key: prefix.to_owned(), value: text, span });
}

fn flatten_yaml(prefix: &str, node: &Node, entries: &mut Vec<Setting>) {
    match &node.value {
        Value::Mapping(pairs) => {
            for (key, value) in pairs {
                if let Some(key) = key.as_str() {
                    flatten_yaml(&key_below(prefix, key), value, entries);
                }
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten_yaml(&key_below(prefix, &index.to_string()), item, entries);
            }
        }
        Value::Scalar { .. } => {
            entries.extend(node.text().map(|text| Setting { key: prefix.to_owned(), value: text.value, span: text.span }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_flattens_alike() {
        let toml = "[server]\nport = 8080\nhosts = [\"a\", \"b\"]\n[db]\nurl = \"x\"\n";
        let yaml = "server:\n  port: 8080\n  hosts: [a, b]\ndb:\n  url: 'x'\n";
        let json = "{\"server\": {\"port\": 8080, \"hosts\": [\"a\", \"b\"]},\n\t\"db\": {\"url\": \"x\"}}";
        for (format, text) in [(Format::Toml, toml), (Format::Yaml, yaml), (Format::Yaml, json)] {
            let settings = parse(FileId(0), format, text).unwrap();
            let found: Vec<_> = settings.entries.iter().map(|e| (e.key.as_str(), e.value.as_str())).collect();
            assert_eq!(found, [("server.port", "8080"), ("server.hosts.0", "a"), ("server.hosts.1", "b"), ("db.url", "x")]);
            let port = settings.get("server.port").unwrap().span;
            assert_eq!(&text[port.start as usize..port.end as usize], "8080");
        }
    }

    #[test]
    fn env_files() {
        let text = "# c\nA=1\nexport B=\"two # words\" # note\n\nC='x=y'\r\nD = e # note\nF=\nnot a line\n";
        let settings = parse(FileId(0), Format::Env, text).unwrap();
        let found: Vec<_> = settings.entries.iter().map(|e| (e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(found, [("A", "1"), ("B", "two # words"), ("C", "x=y"), ("D", "e"), ("F", "")]);
        for entry in &settings.entries {
            assert_eq!(&text[entry.span.start as usize..entry.span.end as usize], entry.value);
        }
    }

    #[test]
    fn what_looks_like_configuration() {
        for (path, expected) in [
            (".env", Some(Format::Env)),
            ("a/.env.example", Some(Format::Env)),
            ("prod.env", Some(Format::Env)),
            ("services/a/config.toml", Some(Format::Toml)),
            ("config/default.yaml", Some(Format::Yaml)),
            ("appsettings.Development.json", Some(Format::Yaml)),
            ("Rocket.toml", Some(Format::Toml)),
            ("log4rs.yaml", Some(Format::Yaml)),
            ("settings-prod.yml", Some(Format::Yaml)),
            ("Cargo.toml", None),
            ("clippy.toml", None),
            ("tsconfig.json", None),
            ("src/data.json", None),
            ("rustfmt.toml", None),
            ("config/notes.md", None),
        ] {
            assert_eq!(format(path.into()), expected, "{path}");
        }
    }
}

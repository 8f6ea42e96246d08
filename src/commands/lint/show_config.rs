//! `--show-config`: the settings in effect, each with where it comes from.

use std::io::{self, Write};
use std::path::Path;

use colored::Colorize as _;
use serde::Serialize;

use crate::config::Config;
use crate::lint::settings::Place;
use crate::lint::{Level, Levels, Rule, Settings};
use crate::output::{json, printable_line};
use crate::workspace::Workspace;

/// Longer names are cut.
const LONGEST: usize = 200;

pub struct Shown<'a> {
    pub settings: &'a Settings,
    /// Who sets the tier.
    pub tier_from: &'a str,
    pub config: &'a Config,
    pub baseline: Option<&'a Path>,
    pub known: &'a [&'static Rule],
}

/// Schema `cargo-msvc/config/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    /// The configuration file, where there is one.
    file: Option<String>,
    tier: &'a str,
    tier_origin: &'a str,
    baseline: Option<String>,
    externals: Vec<&'a str>,
    /// For the whole tree.
    rules: Vec<JsonLevel<'a>>,
    /// What is stated for parts of it, in the order in which later ones win.
    parts: Vec<JsonPart<'a>>,
}

#[derive(Serialize)]
struct JsonLevel<'a> {
    /// Of a rule, a practice or `all`.
    name: &'a str,
    level: &'a str,
    origin: &'a str,
}

#[derive(Serialize)]
struct JsonPart<'a> {
    /// `package`, `service` or `paths`.
    kind: &'static str,
    name: String,
    levels: Vec<JsonLevel<'a>>,
}

impl<'a> Shown<'a> {
    pub fn write_json(&self, out: &mut dyn Write, workspace: &'a Workspace) -> io::Result<()> {
        json::pretty(out, &self.document(workspace))
    }

    pub fn write_text(&self, out: &mut dyn Write, workspace: &'a Workspace) -> io::Result<()> {
        let document = self.document(workspace);
        // Names come from files of the audited tree.
        let shown = |name: Option<String>| name.map_or_else(|| "none".to_owned(), |name| printable_line(&name, LONGEST));
        writeln!(out, "{} {}", "file      ".bold(), shown(document.file))?;
        writeln!(out, "{} {}  {}", "tier      ".bold(), document.tier, document.tier_origin.dimmed())?;
        writeln!(out, "{} {}", "baseline  ".bold(), shown(document.baseline))?;
        let externals = Some(document.externals.join(", ")).filter(|hosts| !hosts.is_empty());
        writeln!(out, "{} {}\n", "externals ".bold(), shown(externals))?;
        writeln!(out, "{}", "everywhere".bold())?;
        write_levels(out, &document.rules)?;
        for part in &document.parts {
            writeln!(out, "\n{} {}", part.kind.bold(), printable_line(&part.name, LONGEST))?;
            write_levels(out, &part.levels)?;
        }
        Ok(())
    }

    fn document(&self, workspace: &'a Workspace) -> Document<'a> {
        let settings = self.settings;
        let rules = self.known.iter().map(|rule| {
            let (level, origin) = settings.decide(rule, Place::default());
            JsonLevel { name: rule.id, level: level.id(), origin }
        });
        let part = |kind, name: &str, levels: &'a Levels| JsonPart { kind, name: name.to_owned(), levels: stated(levels) };
        let packages = settings.packages.iter();
        let packages = packages.map(|(index, levels)| part("package", &workspace.packages[*index].name, levels));
        let services = settings.services.iter().map(|(name, levels)| part("service", name, levels));
        let paths = settings.paths.iter().map(|(paths, levels)| part("paths", paths.as_str(), levels));
        Document {
            schema: "cargo-msvc/config/1",
            file: self.config.source.as_ref().map(|source| source.shown.clone()),
            tier: settings.tier.id(),
            tier_origin: self.tier_from,
            baseline: self.baseline.map(|path| path.display().to_string()),
            externals: self.config.lint.externals.iter().collect(),
            rules: rules.collect(),
            parts: packages.chain(services).chain(paths).collect(),
        }
    }
}

fn stated(levels: &Levels) -> Vec<JsonLevel<'_>> {
    levels.iter().map(|(name, stated)| JsonLevel { name, level: stated.level.id(), origin: &stated.origin }).collect()
}

fn write_levels(out: &mut dyn Write, levels: &[JsonLevel]) -> io::Result<()> {
    let width = levels.iter().map(|level| level.name.len()).max().unwrap_or(0);
    levels.iter().try_for_each(|JsonLevel { name, level, origin }| {
        let level = match *level {
            level if level == Level::Deny.id() => format!("{level:5}").red(),
            level if level == Level::Warn.id() => format!("{level:5}").yellow(),
            level => format!("{level:5}").normal(),
        };
        writeln!(out, "  {level}  {name:width$}  {}", printable_line(origin, LONGEST).dimmed())
    })
}

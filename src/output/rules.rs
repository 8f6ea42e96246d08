//! The list of rules, for people and for programs.

use std::io::{self, Write};

use colored::Colorize;
use serde::Serialize;

use crate::lint::{Level, Practice, Rule};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    rules: Vec<JsonRule<'a>>,
}

#[derive(Serialize)]
struct JsonRule<'a> {
    code: &'a str,
    rule: &'a str,
    practice: Option<&'a str>,
    level: &'a str,
    tier: &'a str,
    summary: &'a str,
}

/// A table, in code order, by practice.
pub fn write_table(out: &mut dyn Write, rules: &[&Rule]) -> io::Result<()> {
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut practice = None;
    for rule in rules {
        if practice != Some(rule.practice) {
            let gap = if practice.is_some() { "\n" } else { "" };
            let (number, title) = rule.practice.map_or((0, "The linter itself"), |practice| (practice as u8, practice.title()));
            let id = rule.practice.map_or("", Practice::id);
            writeln!(out, "{gap}{} {}", format!("{number} {title}").bold(), id.dimmed())?;
            practice = Some(rule.practice);
        }
        let level = match rule.level {
            Level::Deny => "deny".red(),
            Level::Warn => "warn".yellow(),
            Level::Allow => "allow".normal(),
        };
        let (id, tier) = (rule.id, rule.tier.id());
        writeln!(out, "{}  {id:width$}  {level:5}  {tier:8}  {}", rule.code.cyan(), rule.summary())?;
    }
    Ok(())
}

/// One document, schema `cargo-msvc/rules/1`.
pub fn write_json(out: &mut dyn Write, rules: &[&Rule]) -> io::Result<()> {
    let rules = rules.iter().map(|rule| JsonRule {
        code: rule.code,
        rule: rule.id,
        practice: rule.practice.map(Practice::id),
        level: rule.level.id(),
        tier: rule.tier.id(),
        summary: rule.summary(),
    });
    serde_json::to_writer_pretty(&mut *out, &Document { schema: "cargo-msvc/rules/1", rules: rules.collect() })?;
    writeln!(out)
}

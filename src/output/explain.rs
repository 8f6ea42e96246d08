//! A rule's page in a terminal: Markdown as far as our pages use it.

use std::io::{self, Write};

use colored::Colorize;

use super::Style;
use crate::lint::{Practice, Rule};

/// Writes one page.
pub fn write(out: &mut dyn Write, rule: &Rule, style: Style) -> io::Result<()> {
    let practice = rule.practice.map_or("reported by the linter itself", Practice::title);
    let dot = style.pick("·", "-");
    writeln!(out, "{} {}", rule.code.bold(), rule.id.bold())?;
    writeln!(out, "{}\n", format!("{practice} {dot} {} by default {dot} tier {}", rule.level.id(), rule.tier.id()).dimmed())?;
    let mut code = false;
    let mut paragraph = String::new();
    for line in rule.page().lines() {
        if line.starts_with("```") {
            flush(out, &mut paragraph, style)?;
            code = !code;
        } else if code {
            writeln!(out, "{}", format!("    {line}").trim_end().cyan())?;
        } else if let Some(title) = line.strip_prefix("## ") {
            flush(out, &mut paragraph, style)?;
            writeln!(out, "{}", title.bold().green())?;
        } else if line.starts_with("- ") || line.is_empty() {
            flush(out, &mut paragraph, style)?;
            if line.is_empty() {
                writeln!(out)?;
            } else {
                paragraph.push_str(line);
            }
        } else {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line.trim());
        }
    }
    flush(out, &mut paragraph, style)
}

/// Writes what was gathered as one wrapped paragraph, or one item of a list.
fn flush(out: &mut dyn Write, paragraph: &mut String, style: Style) -> io::Result<()> {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    for (index, line) in super::terminal::wrap(paragraph, style.width - indent.len()).iter().enumerate() {
        writeln!(out, "{}{}", if index == 0 { "" } else { indent }, spans_of_code(line))?;
    }
    paragraph.clear();
    Ok(())
}

/// Text between backticks in color, without them where colors tell it apart.
fn spans_of_code(line: &str) -> String {
    if !colored::control::SHOULD_COLORIZE.should_colorize() || !line.matches('`').count().is_multiple_of(2) {
        return line.to_owned();
    }
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { part.cyan().to_string() } else { part.to_owned() }).collect()
}

//! What became of one line, for people.

use std::io::{self, Write};

use colored::Colorize as _;

use super::terminal::printable_line;
use super::{Style, Texts};
use crate::lint::why::{Answer, Fate};
use crate::workspace::{Location, Workspace};

/// Longer lines and messages are cut.
const LONGEST: usize = 200;

/// Writes the answer. `about` is what the line is part of.
pub fn write(
    out: &mut dyn Write,
    answer: &Answer,
    workspace: &Workspace,
    line: Location,
    about: &[String],
    style: Style,
) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    let place = texts.place(line).start;
    let path = printable_line(texts.path(line), LONGEST);
    writeln!(out, "{}", format!("{path}:{}", place.line).bold())?;
    let text = texts.text(line.file);
    // A secret on the line is not shown.
    let hidden = answer.found.iter().find_map(|(said, _)| Some((said.primary.at, said.hidden.as_deref()?)));
    let shown = hidden.map(|(at, secret)| text.masked(at.span, secret));
    let shown = shown.as_ref().unwrap_or(&text);
    writeln!(
        out,
        "  {} {}",
        style.pick("│", "|").dimmed(),
        printable_line(shown.text.get(line.span.range()).unwrap_or_default(), LONGEST).cyan()
    )?;
    for said in about {
        writeln!(out, "  {}", printable_line(said, LONGEST))?;
    }
    if !answer.found.is_empty() {
        writeln!(out, "\n{}", "found".bold())?;
    }
    for (said, verdict) in &answer.found {
        let fate = match &verdict.fate {
            Fate::Reported => format!("reported as {}: {}", verdict.level.severity(), verdict.origin),
            Fate::Silent => format!("not reported: {}", verdict.origin),
            Fate::LeftOut => "not reported: the baseline holds it, or no change touches it".to_owned(),
            Fate::Allowed(text, at) => {
                let reason = text.split_once(')').map_or(text.as_str(), |(_, reason)| reason.trim());
                format!("not reported: allowed in line {}, {reason}", texts.place(*at).start.line)
            }
        };
        writeln!(out, "  {} {}", verdict.rule.id.bold(), printable_line(&said.message, LONGEST))?;
        writeln!(out, "    {}", printable_line(&fate, LONGEST))?;
        for looked_for in &said.evidence {
            writeln!(out, "    looked for, not there: {}", printable_line(looked_for, LONGEST))?;
        }
    }
    let (spared, looked): (Vec<_>, Vec<_>) = answer.looked.iter().partition(|(_, why)| !why.is_empty());
    if !spared.is_empty() {
        writeln!(out, "\n{}", "looked, and took it for right".bold())?;
    }
    let width = answer.looked.keys().map(|id| id.len()).max().unwrap_or(0);
    for (id, why) in spared {
        let why: Vec<&str> = why.iter().copied().collect();
        writeln!(out, "  {id:width$}  {}", why.join("; "))?;
    }
    if !looked.is_empty() {
        writeln!(out, "\n{}", "looked, and found nothing".bold())?;
        for (id, _) in looked {
            writeln!(out, "  {id}")?;
        }
        writeln!(out, "  {}", "what each takes for right: cargo msvc lint --explain RULE, \"Not reported when\"".dimmed())?;
    }
    if answer.found.is_empty() && answer.looked.is_empty() {
        let is_rust = texts.path(line).ends_with(".rs");
        writeln!(
            out,
            "\n{}",
            if is_rust {
                "no rule looked at anything that starts on this line"
            } else {
                "no rule finds anything here; what they look at is recorded in Rust code only"
            }
        )?;
    }
    Ok(())
}

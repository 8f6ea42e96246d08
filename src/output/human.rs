//! For people: each finding with the source it is about, on one screen at most, then a summary.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use colored::Colorize;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode, ThemeCharacters, ThemeStyles};

use super::snippet::{REACH, Snippet};
use super::terminal::{printable_line, wrap};
use super::{Style, Texts};
use crate::lint::{Applicability, Finding, Label, Level, Practice, Report};
use crate::workspace::Workspace;

/// Lines that one finding may take.
const SCREEN: usize = 24;
/// Lines of the terminal before a message is cut: names come from audited files and can have any length.
const MAX_MESSAGE_LINES: usize = 5;

/// How much to say.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub style: Style,
    /// Findings only.
    pub quiet: bool,
    /// Evidence and confidence of each finding.
    pub verbose: bool,
}

/// Writes all findings and the summary.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace, options: Options) -> io::Result<()> {
    let printer = Printer { texts: Texts::new(&workspace.sources), handler: handler(options.style), options };
    for finding in &report.findings {
        writeln!(out, "{}", printer.finding(finding))?;
    }
    if options.quiet { Ok(()) } else { write_summary(out, report, options.style) }
}

struct Printer<'w> {
    texts: Texts<'w>,
    handler: GraphicalReportHandler,
    options: Options,
}

impl Printer<'_> {
    /// One finding, [`SCREEN`] lines at most.
    fn finding(&self, finding: &Finding) -> String {
        let style = self.options.style;
        let diagnostic = &finding.diagnostic;
        let primary = &diagnostic.primary;
        let near = |label: &&Label| self.is_near(primary, label);
        let with_primary: Vec<&Label> = std::iter::once(primary).chain(diagnostic.related.iter().filter(near)).collect();

        let mut text = self.header(finding);
        let severity = if finding.level == Level::Deny { Severity::Error } else { Severity::Warning };
        self.render(&mut text, &diagnostic.message, severity, &with_primary, diagnostic.hidden.as_deref());
        let mut tail = self.tail(finding);
        let mut room = SCREEN.saturating_sub(lines(&text) + lines(&tail));
        let mut elsewhere: Vec<&Label> = diagnostic.related.iter().filter(|label| !near(label)).collect();
        // A line is kept back to say how many did not fit.
        elsewhere.retain(|label| {
            let mut rendered = String::new();
            self.render(&mut rendered, &label.text, Severity::Advice, &[&Label { at: label.at, text: String::new() }], None);
            let fits = lines(&rendered) < room;
            if fits {
                room -= lines(&rendered);
                text.push_str(&rendered);
            }
            !fits
        });
        let listed = if elsewhere.len() <= room { elsewhere.len() } else { room.saturating_sub(1) };
        for label in &elsewhere[..listed] {
            let start = self.texts.place(label.at).start;
            let path = printable_line(self.texts.path(label.at), 200);
            let place = format!("{path}:{}:{}", start.line, start.column).cyan();
            let line = printable_line(&label.text, style.width);
            text.push_str(&format!("  {} {place} {line}\n", style.pick("→", ">").dimmed()));
        }
        if listed < elsewhere.len() {
            text.push_str(&format!("  and {} more places\n", elsewhere.len() - listed));
        }
        text.push_str(&std::mem::take(&mut tail));
        text
    }

    /// `error[MSVC501] shared-database · orders`, and where to read more.
    fn header(&self, finding: &Finding) -> String {
        let style = self.options.style;
        let (word, rule) = match finding.level {
            Level::Deny => ("error".red().bold(), finding.rule.code.red().bold()),
            _ => ("warning".yellow().bold(), finding.rule.code.yellow().bold()),
        };
        let service = match &finding.diagnostic.service {
            Some(service) => format!(" {} {}", style.pick("·", "-").dimmed(), printable_line(service, 64)),
            None => String::new(),
        };
        format!("{word}[{rule}] {}{service}\n", finding.rule.id.bold())
    }

    /// Help, evidence, and the pointer to the rule's page.
    fn tail(&self, finding: &Finding) -> String {
        let diagnostic = &finding.diagnostic;
        let mut text = String::new();
        let mut paragraph = |name: colored::ColoredString, plain_length: usize, said: &str, max_lines: usize| {
            let said = printable_line(said, max_lines * self.options.style.width);
            let indent = " ".repeat(plain_length + 4);
            let wrapped = wrap(&said, self.options.style.width.saturating_sub(plain_length + 4));
            for (index, line) in wrapped.iter().take(max_lines).enumerate() {
                let lead = if index == 0 { format!("  {name}: ") } else { indent.clone() };
                text.push_str(&format!("{lead}{line}\n"));
            }
        };
        if !diagnostic.help.is_empty() {
            paragraph("help".cyan(), 4, &diagnostic.help, 4);
        }
        if let Some(fix) = &diagnostic.fix {
            let flags = match fix.applicability {
                Applicability::Safe => "--fix",
                Applicability::Unsafe => "--fix --unsafe-fixes",
            };
            paragraph("fix".cyan(), 3, &format!("{flags} can {}", fix.title), 2);
        }
        if self.options.verbose {
            if !diagnostic.evidence.is_empty() {
                paragraph("looked for".dimmed(), 10, &diagnostic.evidence.join("; "), 3);
            }
            paragraph("confidence".dimmed(), 10, diagnostic.confidence.id(), 1);
        }
        paragraph("more".dimmed(), 4, &format!("cargo msvc lint --explain {}", finding.rule.id), 1);
        text
    }

    fn render(&self, out: &mut String, message: &str, severity: Severity, labels: &[&Label], secret: Option<&str>) {
        let message = printable_line(message, MAX_MESSAGE_LINES * (self.options.style.width - 8));
        let file = labels[0].at.file;
        let snippet = Snippet::new(&self.texts, file, labels, secret, self.options.style.width.saturating_sub(12));
        let at = snippet.is_none().then(|| printable_line(self.texts.path(labels[0].at), 200));
        let shown = Shown { message, severity, snippet };
        if self.handler.render_report(out, &shown).is_err() {
            // Only a label outside its text can make it fail; the message and the place still stand.
            out.push_str(&format!("  {}\n", shown.message));
        }
        if let Some(path) = at {
            out.push_str(&format!("    {} {}\n", self.options.style.pick("→", ">").dimmed(), path.cyan()));
        }
    }

    /// Whether a related place is drawn in the same snippet as the primary one.
    fn is_near(&self, primary: &Label, related: &Label) -> bool {
        if primary.at.file != related.at.file {
            return false;
        }
        let text = self.texts.text(primary.at.file);
        let line = |label: &Label| text.line_at(label.at.span.start as usize);
        line(primary).abs_diff(line(related)) <= REACH
    }
}

/// What `miette` draws.
#[derive(Debug)]
struct Shown {
    message: String,
    severity: Severity,
    snippet: Option<Snippet>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|snippet| snippet as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.snippet.as_ref().map(|snippet| Box::new(snippet.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

fn handler(style: Style) -> GraphicalReportHandler {
    let color = colored::control::SHOULD_COLORIZE.should_colorize();
    let mut characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    // Level and rule stand in the line above; here they would only be noise.
    let (blank, advice) = if style.unicode { ("│", "→") } else { ("|", ">") };
    (characters.error, characters.warning, characters.advice) = (blank.to_owned(), blank.to_owned(), advice.to_owned());
    let styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles }).with_width(style.width).with_links(false)
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

fn write_summary(out: &mut dyn Write, report: &Report, style: Style) -> io::Result<()> {
    let summary = report.summary;
    let looked_at = format!("{} in {}", plural(summary.services, "service", "services"), plural(summary.files, "file", "files"));
    let left_out = [
        (summary.allowed, "allowed by comments"),
        (summary.baselined, "in the baseline"),
        (summary.unchanged, "on lines that did not change"),
    ];
    let left_out = left_out.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!(", {count} {why}"));
    let left_out: String = left_out.collect();
    if report.findings.is_empty() {
        return writeln!(out, "{} no findings in {looked_at}{left_out}", style.pick("✓", "ok:").green().bold());
    }
    let mut practices: BTreeMap<Option<Practice>, [usize; 2]> = BTreeMap::new();
    let mut services: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for finding in &report.findings {
        let column = usize::from(finding.level != Level::Deny);
        practices.entry(finding.rule.practice).or_default()[column] += 1;
        services.entry(finding.diagnostic.service.as_deref().unwrap_or_default()).or_default()[column] += 1;
    }
    let practices = practices.iter().map(|(practice, counts)| (practice.map_or("Input", Practice::title).to_owned(), *counts));
    let services = services.iter().map(|(service, counts)| {
        let name = if service.is_empty() { "(no one service)".to_owned() } else { printable_line(service, 40) };
        (name, *counts)
    });
    let (practices, services): (Vec<_>, Vec<_>) = (practices.collect(), services.collect());
    let width = practices.iter().chain(&services).map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(8);
    for (title, rows) in [("practice", &practices), ("service", &services)] {
        writeln!(out, "{}", format!("{title:width$}  errors  warnings").dimmed())?;
        for (name, [errors, warnings]) in rows.iter() {
            let cell = |count: &usize, width: usize| {
                if *count == 0 {
                    format!("{:>width$}", style.pick("·", ".")).dimmed()
                } else {
                    format!("{count:>width$}").normal()
                }
            };
            writeln!(out, "{name:width$}  {}  {}", cell(errors, 6), cell(warnings, 8))?;
        }
        writeln!(out)?;
    }
    let errors = plural(report.count(Level::Deny), "error", "errors");
    let warnings = plural(report.count(Level::Warn), "warning", "warnings");
    let counts = match (report.count(Level::Deny), report.count(Level::Warn)) {
        (_, 0) => errors.red().bold().to_string(),
        (0, _) => warnings.yellow().bold().to_string(),
        _ => format!("{}, {}", errors.red().bold(), warnings.yellow().bold()),
    };
    writeln!(out, "{counts}; looked at {looked_at}{left_out}")
}

/// "1 file", "2 files".
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

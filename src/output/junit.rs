//! JUnit's XML, for the test tab of a CI server: a suite for each practice, in it a case for each rule that holds and for each
//! finding. Errors fail; warnings are shown as skipped, since they do not fail the audit either.

use std::io::{self, Write};

use super::xml::escape;
use super::{Texts, concise};
use crate::lint::{Finding, Level, Practice, Report, Rule};
use crate::workspace::Workspace;

/// Writes the document. `rules` is the table of all rules that could have spoken.
pub fn write(out: &mut dyn Write, report: &Report, workspace: &Workspace, rules: &[&'static Rule]) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    let practices = std::iter::once(None).chain(Practice::ALL.map(Some));
    let suites: Vec<Suite> = practices.map(|practice| Suite::new(practice, report, rules)).collect();
    let total = |count: &dyn Fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"cargo-msvc\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        total(&|suite| suite.tests()),
        total(&|suite| suite.failures()),
        total(&|suite| suite.failed.len())
    )?;
    suites.iter().filter(|suite| suite.tests() > 0).try_for_each(|suite| suite.write(out, &texts))?;
    writeln!(out, "</testsuites>")
}

/// What became of the rules of one practice; of the linter's own without one.
struct Suite<'r> {
    name: &'static str,
    holds: Vec<&'static str>,
    findings: Vec<&'r Finding>,
    /// Rules that failed, and why.
    failed: Vec<(&'static str, &'r str)>,
}

impl<'r> Suite<'r> {
    fn new(practice: Option<Practice>, report: &'r Report, rules: &[&'static Rule]) -> Self {
        let of_practice = |rule: &Rule| rule.practice == practice;
        let findings: Vec<_> = report.findings.iter().filter(|finding| of_practice(finding.rule)).collect();
        let failed =
            report.failures.iter().filter(|failure| rules.iter().any(|rule| rule.id == failure.rule && of_practice(rule)));
        let failed: Vec<_> = failed.map(|failure| (failure.rule, failure.message.as_str())).collect();
        let ran = |rule: &Rule| report.timings.iter().any(|(id, _)| *id == rule.id);
        let spoke =
            |rule: &Rule| findings.iter().any(|finding| finding.rule == rule) || failed.iter().any(|(id, _)| *id == rule.id);
        let holds = rules.iter().filter(|rule| of_practice(rule) && ran(rule) && !spoke(rule)).map(|rule| rule.id);
        Self { name: practice.map_or("linter", Practice::id), holds: holds.collect(), findings, failed }
    }

    fn tests(&self) -> usize {
        self.holds.len() + self.findings.len() + self.failed.len()
    }

    fn failures(&self) -> usize {
        self.findings.iter().filter(|finding| finding.level == Level::Deny).count()
    }

    fn write(&self, out: &mut dyn Write, texts: &Texts) -> io::Result<()> {
        writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            self.name,
            self.tests(),
            self.failures(),
            self.failed.len(),
            self.findings.len() - self.failures()
        )?;
        let class = format!("cargo-msvc.{}", self.name);
        for rule in &self.holds {
            writeln!(out, "    <testcase classname=\"{class}\" name=\"{rule}\"/>")?;
        }
        for finding in &self.findings {
            let diagnostic = &finding.diagnostic;
            let start = texts.place(diagnostic.primary.at).start;
            let name = format!("{} {}:{}:{}", finding.rule.id, texts.path(diagnostic.primary.at), start.line, start.column);
            writeln!(out, "    <testcase classname=\"{class}\" name=\"{}\">", escape(&name))?;
            let message = escape(&diagnostic.message);
            if finding.level == Level::Deny {
                let text = escape(&format!("{}\nhelp: {}", concise::line(finding, texts), diagnostic.help));
                writeln!(out, "      <failure type=\"{}\" message=\"{message}\">{text}</failure>", finding.rule.code)?;
            } else {
                writeln!(out, "      <skipped type=\"{}\" message=\"warning: {message}\"/>", finding.rule.code)?;
            }
            writeln!(out, "    </testcase>")?;
        }
        for (rule, why) in &self.failed {
            writeln!(out, "    <testcase classname=\"{class}\" name=\"{rule}\">")?;
            writeln!(out, "      <error type=\"rule-failed\" message=\"{}\"/>", escape(why))?;
            writeln!(out, "    </testcase>")?;
        }
        writeln!(out, "  </testsuite>")
    }
}

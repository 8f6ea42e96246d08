//! `msvc: allow(rule-id[, rule-id]) because <reason>`: which findings a comment takes away, and which comments do not hold.

use super::settings::nearest;
use super::{Diagnostic, Finding, Rule, own};
use crate::workspace::FileId;
use crate::workspace::directive::Directive;

/// One valid allow comment and what it has taken away so far.
struct Allow<'w> {
    directive: &'w Directive,
    rules: Vec<(&'static Rule, bool)>,
}

/// Takes findings away, and adds findings about the comments themselves. `asked` says whether a rule can speak about a file: a
/// comment for one that cannot is left alone. Returns how many were taken away.
pub fn apply(
    directives: &[Directive],
    rules: &[&'static Rule],
    asked: &dyn Fn(&'static Rule, FileId) -> bool,
    findings: &mut Vec<Finding>,
    report: &mut dyn FnMut(&'static Rule, Diagnostic),
) -> usize {
    let mut allows = Vec::new();
    for directive in directives {
        match parse(&directive.text, rules) {
            Ok(rules) => {
                allows.push(Allow { directive, rules: rules.into_iter().map(|rule| (rule, false)).collect() });
            }
            Err((message, help)) => {
                report(&own::INVALID_ALLOW, Diagnostic::new(message, directive.at, "has no effect").help(help))
            }
        }
    }
    allows.sort_by_key(|allow| allow.directive.at);
    let before = findings.len();
    findings.retain(|finding| {
        let at = finding.diagnostic.primary.at;
        let first = allows.partition_point(|allow| allow.directive.at.file < at.file);
        let mut kept = true;
        for allow in allows[first..].iter_mut().take_while(|allow| allow.directive.at.file == at.file) {
            if covers(allow.directive, at.span.start) {
                for (_, used) in allow.rules.iter_mut().filter(|(rule, _)| *rule == finding.rule) {
                    (kept, *used) = (false, true);
                }
            }
        }
        kept
    });
    for allow in &allows {
        for (rule, _) in allow.rules.iter().filter(|(rule, used)| !used && asked(rule, allow.directive.at.file)) {
            report(
                &own::UNUSED_ALLOW,
                Diagnostic::new(
                    format!("nothing to allow: no `{}` is found here", rule.id),
                    allow.directive.at,
                    "covers no finding",
                )
                .help("remove it, or move it to the line, or to a line of its own just above the item, that it is about"),
            );
        }
    }
    before - findings.len()
}

fn covers(directive: &Directive, offset: u32) -> bool {
    let covers = directive.covers;
    covers.start <= offset && offset < covers.end.max(covers.start + 1)
}

/// The comment that allows what `rule` finds at a place.
pub fn allowing<'w>(
    directives: &'w [Directive],
    rules: &[&'static Rule],
    rule: &'static Rule,
    at: crate::workspace::Location,
) -> Option<&'w Directive> {
    directives.iter().find(|directive| {
        let covers = directive.at.file == at.file && covers(directive, at.span.start);
        covers && parse(&directive.text, rules).is_ok_and(|allowed| allowed.contains(&rule))
    })
}

/// The rules that a comment's text allows, or what is wrong with it and what to do.
fn parse(text: &str, rules: &[&'static Rule]) -> Result<Vec<&'static Rule>, (String, String)> {
    const SHAPE: &str = "write `msvc: allow(rule-id) because <reason>`";
    let unreadable = || ("this comment to the linter cannot be read".to_owned(), SHAPE.to_owned());
    let rest = text.strip_prefix("allow").ok_or_else(unreadable)?.trim_start();
    let (ids, rest) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(unreadable)?;
    let mut allowed = Vec::new();
    for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let Some(rule) = rules.iter().find(|rule| rule.id == id || rule.code.eq_ignore_ascii_case(id)) else {
            let help = match nearest(id, rules.iter().flat_map(|rule| [rule.id, rule.code])) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "`cargo msvc lint --list-rules` lists all rules".to_owned(),
            };
            return Err((format!("`{id}` is no rule"), help));
        };
        allowed.push(*rule);
    }
    if allowed.is_empty() {
        return Err(("this comment allows no rule".to_owned(), SHAPE.to_owned()));
    }
    let reason = rest.trim_start().strip_prefix("because").filter(|reason| reason.starts_with(char::is_whitespace));
    // `*/` of a block comment, `-->` and quotes are no reason.
    if !reason.is_some_and(|reason| reason.chars().any(char::is_alphanumeric)) {
        return Err(("this comment gives no reason".to_owned(), format!("{SHAPE}: the next reader must be able to judge it")));
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let rules = [&own::UNREADABLE_FILE, &own::UNUSED_ALLOW];
        for (text, expected) in [
            ("allow(unused-allow) because x", Ok(1)),
            ("allow (MSVC003, unreadable-file,) because of that", Ok(2)),
            ("allow(unused-allow)", Err("this comment gives no reason")),
            ("allow(unused-allow) because", Err("this comment gives no reason")),
            ("allow(unused-allow) because …", Err("this comment gives no reason")),
            ("allow(unused-allow) becausexyz", Err("this comment gives no reason")),
            ("allow()", Err("this comment allows no rule")),
            ("allow(unused-alow) because x", Err("`unused-alow` is no rule")),
            ("allow unused-allow because x", Err("this comment to the linter cannot be read")),
            ("deny(unused-allow)", Err("this comment to the linter cannot be read")),
            ("allow(unused-allow", Err("this comment to the linter cannot be read")),
        ] {
            let found = parse(text, &rules).map(|rules| rules.len()).map_err(|(message, _)| message);
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
        assert_eq!(parse("allow(unused-alow) because x", &rules).unwrap_err().1, "did you mean `unused-allow`?");
    }
}

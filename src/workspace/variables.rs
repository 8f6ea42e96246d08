//! `$NAME` and `${NAME:-default}`, as Dockerfiles and compose files write them, and `NAME=value` pairs.

use super::sources::{Span, Spanned};

/// A named value: `ARG`, `ENV`, an environment entry, a label, a build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// `None` where it is named without a value: `ARG X`, `- X` in a compose environment, `valueFrom` in a pod.
    pub value: Option<String>,
    /// Name and value together.
    pub span: Span,
}

/// A text with its variables replaced as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    pub text: String,
    /// Names of the variables that were left standing, in order.
    pub unknown: Vec<String>,
    /// A variable stands in the text, known or not: whoever runs it may set another value.
    pub variable: bool,
}

/// How deep defaults may nest: `${A:-${B:-…}}`.
const MAX_NESTING: usize = 16;

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}` and `$$`. Variables that `lookup`
/// does not know and that have no default stay as they are written.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Expanded {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), unknown: Vec::new(), variable: false };
    expand_into(text, lookup, &mut expanded, MAX_NESTING);
    expanded
}

fn expand_into(text: &str, lookup: &dyn Fn(&str) -> Option<String>, out: &mut Expanded, nesting: usize) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.text.push('$');
            rest = after;
            continue;
        }
        let Some((reference, length)) = reference(rest) else {
            out.text.push('$');
            rest = &rest[1..];
            continue;
        };
        out.variable = true;
        let value = lookup(reference.name);
        let replacement = match reference.operator {
            Operator::None => value,
            Operator::Default if nesting > 0 => match value.filter(|value| !value.is_empty() || !reference.colon) {
                Some(value) => Some(value),
                None => {
                    expand_into(reference.operand, lookup, out, nesting - 1);
                    Some(String::new())
                }
            },
            Operator::Alternative if nesting > 0 => {
                if value.is_some_and(|value| !value.is_empty() || !reference.colon) {
                    expand_into(reference.operand, lookup, out, nesting - 1);
                }
                Some(String::new())
            }
            _ => value,
        };
        match replacement {
            Some(value) => out.text.push_str(&value),
            None => {
                out.unknown.push(reference.name.to_owned());
                out.text.push_str(&rest[..length]);
            }
        }
        rest = &rest[length..];
    }
    out.text.push_str(rest);
}

struct Reference<'a> {
    name: &'a str,
    operator: Operator,
    /// `:-` and not `-`: an empty value counts as none.
    colon: bool,
    operand: &'a str,
}

enum Operator {
    None,
    Default,
    Alternative,
    /// `:?message`, `#pattern` and kin: they change nothing that is known here.
    Other,
}

/// The reference at the start of `text` (which starts with `$`) and its length.
fn reference(text: &str) -> Option<(Reference<'_>, usize)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name_length = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    let Some(body) = text.strip_prefix("${") else {
        let name = &text[1..1 + name_length(&text[1..])];
        let plain = Reference { name, operator: Operator::None, colon: false, operand: "" };
        return (!name.is_empty()).then_some((plain, 1 + name.len()));
    };
    let mut depth = 1usize;
    let end = body.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let (name, tail) = body[..end].split_at(name_length(&body[..end]));
    if name.is_empty() {
        return None;
    }
    let (colon, operation) = tail.strip_prefix(':').map_or((false, tail), |tail| (true, tail));
    let (operator, operand) = match operation.chars().next() {
        None => (Operator::None, ""),
        Some('-') => (Operator::Default, &operation[1..]),
        Some('+') => (Operator::Alternative, &operation[1..]),
        Some(_) => (Operator::Other, ""),
    };
    Some((Reference { name, operator, colon, operand }, end + 3))
}

/// Splits `A=1 B="two words"` as a shell would. Words without `=` have no value. Spans count from `start`.
pub fn pairs(text: &str, start: usize) -> Vec<Variable> {
    words(text, start)
        .into_iter()
        .map(|word| match word.value.split_once('=') {
            Some((name, value)) => Variable { name: name.to_owned(), value: Some(value.to_owned()), span: word.span },
            None => Variable { name: word.value, value: None, span: word.span },
        })
        .collect()
}

/// Splits at white space, minding quotes and backslashes, and removes them. Spans count from `start`.
pub fn words(text: &str, start: usize) -> Vec<Spanned<String>> {
    let mut found = Vec::new();
    let mut word: Option<(usize, String)> = None;
    let mut quote = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if let Some((from, value)) = word.take() {
                    found.push(Spanned { value, span: Span::new(start + from, start + at) });
                }
                continue;
            }
            (None, '\\') if characters.peek().is_some_and(|(_, next)| matches!(next, '\n' | '\r')) => continue,
            _ => {}
        }
        let (_, value) = word.get_or_insert_with(|| (at, String::new()));
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => value.extend(characters.next().map(|(_, next)| next)),
            _ => value.push(c),
        }
    }
    if let Some((from, value)) = word {
        found.push(Spanned { value, span: Span::new(start + from, start + text.len()) });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let lookup = |name: &str| match name {
            "TAG" => Some("1.2".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected, unknown) in [
            ("rust:$TAG", "rust:1.2", &[][..]),
            ("rust:${TAG}-slim", "rust:1.2-slim", &[]),
            ("${NO:-a}${NO-b}${EMPTY:-c}${EMPTY-d}", "abc", &[]),
            ("${TAG:+set}${NO:+set}", "set", &[]),
            ("${NO:-${TAG}}", "1.2", &[]),
            ("${NO:-$NONE}", "$NONE", &["NONE"]),
            ("$NO/$NONE", "$NO/$NONE", &["NO", "NONE"]),
            ("${NO:?must be set}", "${NO:?must be set}", &["NO"]),
            ("cost $$5 $ ${", "cost $5 $ ${", &[]),
            ("${}", "${}", &[]),
        ] {
            let expanded = expand(text, &lookup);
            assert_eq!(
                (expanded.text.as_str(), expanded.unknown.as_slice()),
                (expected, &unknown.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn deep_defaults_end() {
        let deep = "${A:-".repeat(100_000) + &"}".repeat(100_000);
        assert!(!expand(&deep, &|_| None).unknown.is_empty());
    }

    #[test]
    fn pairs_keep_quotes_together() {
        let text = r#"A=1 B="two words" C='x=y' D=a\ b E"#;
        let found: Vec<_> = pairs(text, 0).into_iter().map(|v| (v.name, v.value)).collect();
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            found,
            [pair("A", Some("1")), pair("B", Some("two words")), pair("C", Some("x=y")), pair("D", Some("a b")), pair("E", None)]
        );
    }
}

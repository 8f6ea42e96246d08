//! SQL text as tokens, of any dialect.

use crate::workspace::Span;
use crate::workspace::sources::block_comment;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: Kind,
    /// Without quotes.
    pub text: &'t str,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a plain name.
    Word,
    /// `"name"`, `` `name` ``.
    Quoted,
    /// `'text'`, `$$text$$`.
    Text,
    Number,
    /// One character.
    Sign,
}

impl Token<'_> {
    /// Whether it is this keyword, given in upper case.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign && self.text.starts_with(sign)
    }

    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// Never fails: an open string or comment ends with the text.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        let start = at;
        let mut push = |kind, inner: std::ops::Range<usize>, end: usize| {
            found.push(Token { kind, text: text.get(inner).unwrap_or_default(), span: Span::new(start, end) });
            end
        };
        at = match byte {
            b if b.is_ascii_whitespace() => at + 1,
            b'-' if rest.starts_with("--") => line_end(text, at),
            b'#' if starts_line(text, at) => line_end(text, at),
            b'/' if rest.starts_with("/*") => at + block_comment(&bytes[at..]),
            b'\'' => {
                let escapes = at > 0 && matches!(bytes[at - 1], b'E' | b'e');
                let end = quoted_end(bytes, at, b'\'', escapes);
                push(Kind::Text, at + 1..end.saturating_sub(1).max(at + 1), end)
            }
            b'"' | b'`' => {
                let end = quoted_end(bytes, at, byte, false);
                push(Kind::Quoted, at + 1..end.saturating_sub(1).max(at + 1), end)
            }
            b'$' => match dollar_end(rest) {
                Some(length) => push(Kind::Text, at..at + length, at + length),
                None => push(Kind::Sign, at..at + 1, at + 1),
            },
            b'0'..=b'9' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len());
                push(Kind::Number, at..at + length, at + length)
            }
            b if b.is_ascii_alphabetic() || b == b'_' || !b.is_ascii() => {
                let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
                let length = if length == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { length };
                push(Kind::Word, at..at + length, at + length)
            }
            _ => push(Kind::Sign, at..at + 1, at + 1),
        };
    }
    found
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length + 1)
}

/// MySQL's comment; elsewhere `#` is part of an operator.
fn starts_line(text: &str, at: usize) -> bool {
    text[..at].rsplit('\n').next().is_none_or(|before| before.trim().is_empty())
}

/// Past the closing quote; a doubled one is part of the text.
fn quoted_end(bytes: &[u8], at: usize, quote: u8, escapes: bool) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b if b == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Length of `$tag$ … $tag$`.
fn dollar_end(rest: &str) -> Option<usize> {
    let tag_end = rest[1..].find('$')? + 2;
    let tag = &rest[..tag_end];
    let is_tag = tag[1..tag_end - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(rest[tag_end..].find(tag).map_or(rest.len(), |at| tag_end + at + tag_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text() {
        let shown = |text: &str| {
            let tokens = tokens(text);
            tokens.iter().map(|token| token.text.to_owned()).collect::<Vec<_>>().join("|")
        };
        for (text, expected) in [
            ("SELECT a.\"B c\" -- x\n FROM `t`;", "SELECT|a|.|B c|FROM|t|;"),
            ("/* a /* b */ c */ x 'it''s' E'\\'' y", "x|it''s|E|\\'|y"),
            ("$$a; b$$ $f$ $$ $f$ $1 ?", "$$a; b$$|$f$ $$ $f$|$|1|?"),
            ("# note\na #> b é 'open", "a|#|>|b|é|ope"),
            ("'", ""),
            ("\"", ""),
            ("/*", ""),
            ("$", "$"),
            ("$a$ x", "$a$ x"),
            ("´ “x”", "´|“|x|”"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}

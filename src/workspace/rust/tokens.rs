//! Rust source as a flat list of tokens, by one pass over the bytes: enough to find functions and what they name, long
//! before a parser would. Comments and blanks are left out.

use crate::workspace::sources::block_comment;

/// Where a token stands, in bytes; files are smaller than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword; of a raw one, what follows `r#`.
    Word,
    /// One sign or bracket.
    Sign(u8),
    /// A string of characters, between its quotes.
    Text,
    /// A number, a character, a byte, bytes, a lifetime.
    Other,
}

/// All that a pass over the bytes tells.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub all: Vec<Token>,
    /// Doc comments, which a parser turns into attributes.
    pub docs: Vec<(u32, u32)>,
    /// Line comments that say `msvc:`.
    pub comments: Vec<(u32, u32)>,
}

impl Tokens {
    /// Never fails: of what is no Rust, some list comes back.
    pub fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut tokens = Self { all: Vec::with_capacity(bytes.len() / 4), ..Self::default() };
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = &bytes[at..];
            let (kind, start, end) = match byte {
                b' ' | b'\n' | b'\r' | b'\t' => {
                    at += 1;
                    continue;
                }
                b'/' if rest.starts_with(b"//") => {
                    let end = at + line(rest);
                    tokens.comment(text, at, end);
                    at = end;
                    continue;
                }
                b'/' if rest.starts_with(b"/*") => {
                    let end = (at + block_comment(rest)).min(bytes.len());
                    if matches!(rest, [_, _, b'*' | b'!', next, ..] if !matches!(next, b'*' | b'/')) {
                        tokens.docs.push((at as u32, end as u32));
                    }
                    at = end;
                    continue;
                }
                b'"' => {
                    let end = at + string(rest);
                    (Kind::Text, at + 1, end)
                }
                b'\'' => {
                    let end = at + character(rest) + 1;
                    (Kind::Other, at, if end == at + 1 { end + word(&bytes[end.min(bytes.len())..]) } else { end })
                }
                b'0'..=b'9' => (Kind::Other, at, at + number(rest)),
                _ if is_word(byte) => match quoted(rest) {
                    Some((kind, start, end)) => (kind, at + start, at + end),
                    None => {
                        let raw = if rest.starts_with(b"r#") && rest.get(2).copied().is_some_and(is_word) { 2 } else { 0 };
                        (Kind::Word, at + raw, at + raw + word(&rest[raw..]))
                    }
                },
                _ => (Kind::Sign(byte), at, at + 1),
            };
            let end = end.min(bytes.len());
            tokens.all.push(Token { kind, start: start.min(end) as u32, end: end as u32 });
            // Past the closing quote, and the hashes of a raw string.
            at = match kind {
                Kind::Text => end + 1 + bytes[(end + 1).min(bytes.len())..].iter().take_while(|byte| **byte == b'#').count(),
                _ => end.max(at + 1),
            };
        }
        tokens
    }

    fn comment(&mut self, text: &str, start: usize, end: usize) {
        let comment = &text[start..end];
        let is_doc = comment.starts_with("//!") || comment.starts_with("///") && !comment.starts_with("////");
        if is_doc {
            self.docs.push((start as u32, end as u32));
        } else if comment[2..].trim_start().starts_with("msvc:") {
            self.comments.push((start as u32, end as u32));
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// `r"…"`, `b"…"`, `br#"…"#`, `b'x'`: kind, start and end of what stands between the quotes.
fn quoted(bytes: &[u8]) -> Option<(Kind, usize, usize)> {
    let letters = bytes.iter().take(2).take_while(|byte| matches!(byte, b'b' | b'c' | b'r')).count();
    let is_raw = letters > 0 && bytes[letters - 1] == b'r';
    let kind = if bytes.first() == Some(&b'r') { Kind::Text } else { Kind::Other };
    let hashes = if is_raw { bytes[letters..].iter().take_while(|byte| **byte == b'#').count() } else { 0 };
    match bytes.get(letters + hashes)? {
        _ if letters == 0 => None,
        b'"' if is_raw => {
            let end = letters - 1 + raw_string(&bytes[letters - 1..]);
            match kind {
                Kind::Text => Some((kind, letters + hashes + 1, end.saturating_sub(hashes).max(letters + hashes + 1))),
                _ => Some((kind, 0, end + 1)),
            }
        }
        b'"' => Some((Kind::Other, 0, letters + string(&bytes[letters..]) + 1)),
        b'\'' if bytes[0] == b'b' && letters == 1 => Some((Kind::Other, 0, 1 + character(&bytes[1..]) + 1)),
        _ => None,
    }
}

// Each of these gets the bytes from the token's start and returns the offset of the token's last byte, or of the end.

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// From the `r` on.
fn raw_string(bytes: &[u8]) -> usize {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    let closing = |at: &usize| {
        let after = bytes.get(at + 1..at + 1 + hashes);
        bytes[*at] == b'"' && after.is_some_and(|after| after.iter().all(|byte| *byte == b'#'))
    };
    (hashes + 2..bytes.len()).find(closing).map_or(bytes.len(), |at| at + hashes)
}

/// `'x'` and `'\n'`; of a lifetime just the quote.
fn character(bytes: &[u8]) -> usize {
    match bytes {
        [_, b'\\', _, ..] => 2 + bytes[2..].iter().skip(1).take(12).position(|byte| *byte == b'\'').map_or(0, |at| at + 1),
        [_, first, ..] => {
            // One character of up to four bytes, then the closing quote.
            let width = if first.is_ascii() {
                1
            } else {
                bytes[2..].iter().take(3).take_while(|byte| (**byte & 0xC0) == 0x80).count() + 1
            };
            if bytes.get(1 + width) == Some(&b'\'') { 1 + width } else { 0 }
        }
        _ => 0,
    }
}

/// Offset of the line's end.
fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// Length of an identifier.
fn word(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte)).count()
}

/// Length of a number: `1_000`, `0x1f`, `1.5e3`, but `1` of `1..2` and `1.max(2)`.
fn number(bytes: &[u8]) -> usize {
    let whole = word(bytes);
    match bytes.get(whole..whole + 2) {
        Some([b'.', digit]) if digit.is_ascii_digit() => whole + 1 + word(&bytes[whole + 1..]),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let tokens = Tokens::read(text);
        let show = |token: &Token| {
            let part = &text[token.start as usize..token.end as usize];
            match token.kind {
                Kind::Word => part.to_owned(),
                Kind::Sign(_) => part.to_owned(),
                Kind::Text => format!("<{part}>"),
                Kind::Other => format!("({part})"),
            }
        };
        tokens.all.iter().map(show).collect()
    }

    #[test]
    fn tokens_of() {
        for (text, expected) in [
            ("a::b", "a : : b"),
            ("fn r#type<'a>(x: &'a str) {}", "fn type < ('a) > ( x : & ('a) str ) { }"),
            (r#"f("a \" b", 'x', '\'', '\u{e9}', b'c')"#, r#"f ( <a \" b> , ('x') , ('\'') , ('\u{e9}') , (b'c') )"#),
            (r###"r"a" r#"b "c" d"# br#"e"# b"f" c"g" rb"###, r###"<a> <b "c" d> (br#"e"#) (b"f") (c"g") rb"###),
            ("1..2 1.5e3 0x1f 1.max(2) a.0.b", "(1) . . (2) (1.5e3) (0x1f) (1) . max ( (2) ) a . (0.) b"),
            ("a // b\nc /* d /* e */ f */ g", "a c g"),
            ("é r#\"\"# \"", "é <> <>"),
        ] {
            let expected = expected.replace("(0.)", "(0) .");
            assert_eq!(read(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn comments_are_told_apart() {
        let text = "/// a\n//! b\n//// c\n// msvc: d\n/** e */ /*! f */ /*** g */ /**/ \"// msvc: h\" x";
        let tokens = Tokens::read(text);
        let parts =
            |found: &[(u32, u32)]| found.iter().map(|(a, b)| &text[*a as usize..*b as usize]).collect::<Vec<_>>().join("|");
        assert_eq!(parts(&tokens.docs), "/// a|//! b|/** e */|/*! f */");
        assert_eq!(parts(&tokens.comments), "// msvc: d");
    }
}

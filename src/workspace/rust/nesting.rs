//! Refuses sources that would run the parser out of stack, by one pass over the bytes.

use crate::workspace::sources::block_comment;

/// Brackets nested deeper than this are refused before parsing: the parser recurses, and running out of stack would
/// end the process. rustc itself gives up far earlier (its recursion limit is 128).
const MAX_DEPTH: usize = 1_000;

/// Likewise for operators in one expression (`a + a + …`, `a.b().b()…`, `!!…`) and for branches of `else`.
const MAX_OPERATORS: usize = 5_000;
const MAX_ELSE: usize = 20_000;

/// A generic argument takes ten times the stack of an operator.
const GENERIC_WEIGHT: usize = 10;

/// Where the source nests deeper than the parser's stack allows.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut operators, mut branches) = (0usize, 0usize, 0usize);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'"' => at += string(rest),
            b'r' if starts_raw_string(bytes, at) => at += raw_string(rest),
            b'\'' => at += character(rest),
            b'/' if rest.starts_with(b"//") => at += line(rest),
            b'/' if rest.starts_with(b"/*") => at += block_comment(rest) - 1,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'<' => operators += GENERIC_WEIGHT,
            b'.' | b'!' | b'&' | b'*' | b'-' | b'+' | b'|' | b'=' | b'?' | b'/' | b'%' | b'^' => operators += 1,
            b'a' if rest.starts_with(b"as ") => operators += 1,
            b'e' if rest.starts_with(b"else") => branches += 1,
            _ => {}
        }
        if matches!(byte, b';' | b',' | b'{' | b'}') {
            operators = 0;
        }
        if depth > MAX_DEPTH || operators > MAX_OPERATORS || branches > MAX_ELSE {
            return Some(at.min(bytes.len()));
        }
        at += 1;
    }
    None
}

// Each of these gets the bytes from the token's start and returns the offset of the token's last byte, or of the end.

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// `r"`, `r#"`, `br"`, but not the end of an identifier such as `for"`.
fn starts_raw_string(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let in_identifier = before.is_some_and(|byte| (byte.is_ascii_alphanumeric() || byte == b'_') && !matches!(byte, b'b' | b'c'));
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    !in_identifier && bytes.get(at + 1 + hashes) == Some(&b'"')
}

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

fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::{MAX_OPERATORS, too_deep};

    #[test]
    fn only_code_counts() {
        let dots = ".".repeat(MAX_OPERATORS * 2);
        for harmless in [
            format!("let a = \"{dots}\";"),
            format!("let a = \"\\\"{dots}\";"),
            format!("let a = r\"{dots}\";"),
            format!("let a = r#\"\"{dots}\"#;"),
            format!("let a = br##\"\"#{dots}\"##;"),
            format!("// {dots}\nlet a;"),
            format!("/* /* {dots} */ {dots} */ let a;"),
            format!("let a = ('\"', b'\\'', 'é'); let b = \"{dots}\";"),
            format!("fn f<'a>(a: &'a str) {{}} // {dots}"),
        ] {
            assert_eq!(too_deep(&harmless), None, "{}", &harmless[..30]);
        }
        for bomb in [
            format!("let a = b{dots};"),
            format!("let a = '\"'; {dots}"),
            format!("let a = r\"\"; {dots}"),
            format!("/* */ {dots}"),
        ] {
            assert!(too_deep(&bomb).is_some(), "{}", &bomb[..20]);
        }
        for open in ["\"", "r#\"", "'", "/*", "//", "'\\", "r", "\"\\", "br#"] {
            assert_eq!(too_deep(open), None, "{open}");
        }
    }
}

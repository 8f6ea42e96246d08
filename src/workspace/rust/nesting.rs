//! How deep sources nest: past some depth the parser runs out of stack, which would end the process.

use super::tokens::{Kind, Token};

/// What a stretch of source may have at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Brackets within brackets.
    depth: usize,
    /// Operators in one expression: `a + a + …`, `a.b().b()…`, `!!…`.
    operators: usize,
    /// Branches of `else`.
    branches: usize,
}

/// More is refused. rustc itself gives up far earlier (its recursion limit is 128).
pub(super) const MAX: Limits = Limits { depth: 1_000, operators: 5_000, branches: 20_000 };

/// What any thread's stack can take.
pub(super) const SHALLOW: Limits = Limits { depth: 40, operators: 200, branches: 40 };

/// A generic argument takes ten times the stack of an operator.
const GENERIC_WEIGHT: usize = 10;

/// Where the source nests deeper than that.
pub(super) fn beyond(limits: Limits, text: &str, tokens: &[Token]) -> Option<usize> {
    let (mut depth, mut operators, mut branches) = (0usize, 0usize, 0usize);
    for token in tokens {
        match token.kind {
            Kind::Sign(b'(' | b'[') => depth += 1,
            Kind::Sign(b')' | b']') => depth = depth.saturating_sub(1),
            Kind::Sign(b'{') => (depth, operators) = (depth + 1, 0),
            Kind::Sign(b'}') => (depth, operators) = (depth.saturating_sub(1), 0),
            Kind::Sign(b';' | b',') => operators = 0,
            Kind::Sign(b'<') => operators += GENERIC_WEIGHT,
            Kind::Sign(b'.' | b'!' | b'&' | b'*' | b'-' | b'+' | b'|' | b'=' | b'?' | b'/' | b'%' | b'^') => operators += 1,
            Kind::Word => match &text.as_bytes()[token.start as usize..token.end as usize] {
                b"as" => operators += 1,
                b"else" => branches += 1,
                _ => {}
            },
            _ => {}
        }
        if depth > limits.depth || operators > limits.operators || branches > limits.branches {
            return Some(token.start as usize);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tokens::Tokens;
    use super::{MAX, beyond};

    fn too_deep(text: &str) -> Option<usize> {
        beyond(MAX, text, &Tokens::read(text).all)
    }

    #[test]
    fn only_code_counts() {
        let dots = ".".repeat(MAX.operators * 2);
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
            "[".repeat(MAX.depth + 1),
            "if a {} else ".repeat(MAX.branches + 1),
        ] {
            assert!(too_deep(&bomb).is_some(), "{}", &bomb[..12]);
        }
        for open in ["\"", "r#\"", "'", "/*", "//", "'\\", "r", "\"\\", "br#", "b'", "1.", "é"] {
            assert_eq!(too_deep(open), None, "{open}");
        }
    }
}

//! Comments addressed to the linter: `// msvc: allow(rule-id) because …`, and which text each one covers.
//!
//! A comment that follows code on its line covers that line. A comment on a line of its own covers the next line of code
//! and the block that it opens: every following line that is indented deeper, with the closing brackets. So it covers the
//! next item or statement of formatted Rust, the next key of YAML with all below it, the next instruction of a Dockerfile,
//! the next statement of SQL, and the next key or table of TOML. Before the first line of code it also covers findings that are
//! about the file as a whole.

use super::{FileId, Location, Span};

/// One comment that starts with `msvc:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The comment, from its marker to the end of the line.
    pub at: Location,
    /// What follows `msvc:`, trimmed.
    pub text: String,
    /// What it speaks about.
    pub covers: Span,
}

/// How a kind of file writes comments and continues lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Rust,
    Toml,
    Yaml,
    Dockerfile,
    Env,
    Sql,
}

/// All directives of a file, found line by line. Rust strings may hold what looks like a comment: use
/// [`rust_directives`] where a lexer has found the comments.
pub fn directives(file: FileId, text: &str, syntax: Syntax) -> Vec<Directive> {
    if !text.contains("msvc:") {
        return Vec::new();
    }
    let lines = Lines::new(text, syntax);
    let found = lines.all.iter().enumerate().filter_map(|(index, line)| {
        let marker = line.directive(syntax)?;
        Some(lines.directive(file, index, marker))
    });
    found.collect()
}

/// The directives of a Rust file whose comments are known by span.
pub fn rust_directives(file: FileId, text: &str, comments: impl IntoIterator<Item = Span>) -> Vec<Directive> {
    let mut comments = comments.into_iter().peekable();
    if comments.peek().is_none() {
        return Vec::new();
    }
    let lines = Lines::new(text, Syntax::Rust);
    let found = comments.filter_map(|span| {
        let start = span.start as usize;
        let index = lines.all.partition_point(|line| line.start <= start).checked_sub(1)?;
        Some(lines.directive(file, index, start - lines.all[index].start))
    });
    found.collect()
}

struct Line<'t> {
    start: usize,
    /// Without the line break.
    text: &'t str,
}

struct Lines<'t> {
    all: Vec<Line<'t>>,
    syntax: Syntax,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Offset of a comment that starts with `msvc:`.
    fn directive(&self, syntax: Syntax) -> Option<usize> {
        let marker = syntax.marker();
        self.text.match_indices(marker).map(|(at, _)| at).find(|&at| {
            let before = &self.text[..at];
            let apart = before.is_empty() || before.ends_with(char::is_whitespace) || syntax == Syntax::Rust;
            apart && self.text[at + marker.len()..].trim_start().starts_with("msvc:")
        })
    }

    /// Holds neither code nor, in Rust, anything but an attribute's first line.
    fn is_comment_or_blank(&self, syntax: Syntax) -> bool {
        let text = self.text.trim();
        text.is_empty() || text.starts_with(syntax.marker())
    }
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, syntax: Syntax) -> Self {
        let mut start = 0;
        let all = text.split_inclusive('\n').map(|line| {
            let line_start = start;
            start += line.len();
            Line { start: line_start, text: line.trim_end_matches(['\n', '\r']) }
        });
        Self { all: all.collect(), syntax }
    }

    fn directive(&self, file: FileId, index: usize, marker: usize) -> Directive {
        let line = &self.all[index];
        let said = line.text[marker..].trim_start_matches(self.syntax.marker()).trim_start();
        Directive {
            at: Location::new(file, Span::new(line.start + marker, line.end())),
            text: said.strip_prefix("msvc:").unwrap_or(said).trim().to_owned(),
            covers: self.covered(index, marker),
        }
    }

    fn covered(&self, index: usize, marker: usize) -> Span {
        let line = &self.all[index];
        if !line.text[..marker].trim().is_empty() {
            return Span::new(line.start, line.end());
        }
        let Some(first) = self.next_code(index + 1) else { return Span::new(line.start, line.end()) };
        let mut last = self.block_end(first);
        while self.syntax == Syntax::Rust && self.all[first].text.trim_start().starts_with("#[") {
            // An attribute belongs to what it stands on.
            let Some(next) = self.next_code(last + 1) else { break };
            last = self.block_end(next);
            if !self.all[next].text.trim_start().starts_with("#[") {
                break;
            }
        }
        let heads_file = self.all[..index].iter().all(|line| line.is_comment_or_blank(self.syntax));
        let start = if heads_file { 0 } else { self.all[first].start };
        Span::new(start, self.all[last].end())
    }

    fn next_code(&self, from: usize) -> Option<usize> {
        (from..self.all.len()).find(|&at| !self.all[at].is_comment_or_blank(self.syntax))
    }

    /// Last line of the block that line `first` opens.
    fn block_end(&self, first: usize) -> usize {
        let indent = self.all[first].indent();
        let table = self.syntax == Syntax::Toml && self.all[first].text.trim_start().starts_with('[');
        let mut last = first;
        for at in first + 1..self.all.len() {
            let line = &self.all[at];
            if line.text.trim().is_empty() {
                continue;
            }
            let deeper = line.indent() > indent;
            let text = line.text.trim_start();
            let closes = line.indent() == indent && text.starts_with(['}', ')', ']']);
            let continued = match self.syntax {
                Syntax::Rust => line.indent() == indent && (text.starts_with("where") || text.starts_with('{')),
                Syntax::Dockerfile => self.all[last].text.trim_end().ends_with('\\'),
                Syntax::Sql => !self.all[last].text.trim_end().ends_with(';'),
                Syntax::Toml => table && !text.starts_with('['),
                // A sequence may stand at the indentation of its key.
                Syntax::Yaml => {
                    line.indent() == indent && text.starts_with("- ") && !self.all[first].text.trim_start().starts_with("- ")
                }
                Syntax::Env => false,
            };
            if !(deeper || closes || continued) {
                break;
            }
            last = at;
        }
        last
    }
}

impl Syntax {
    pub(super) const fn marker(self) -> &'static str {
        match self {
            Self::Rust => "//",
            Self::Sql => "--",
            Self::Toml | Self::Yaml | Self::Dockerfile | Self::Env => "#",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case marks with `|` at the end of a line which lines are covered.
    #[test]
    fn coverage() {
        let cases = [
            (Syntax::Rust, "a();\nb(); // msvc: allow(x)|\nc();\n"),
            (Syntax::Rust, "fn f() {\n    // msvc: allow(x)\n    let a = b()|\n        .c();|\n    d();\n}\n"),
            (
                Syntax::Rust,
                "use a;\n// msvc: allow(x)\n\n/// Docs.\n#[tokio::main]|\n#[cfg(\n    a\n)]\nasync fn f<T>()|\nwhere|\n    T: U,|\n{|\n    a();|\n}|\nfn g() {}\n",
            ),
            (Syntax::Yaml, "a: 1\nspec:\n  # msvc: allow(x)\n  containers:|\n  - name: b|\n    image: c|\n  other: d\n"),
            (Syntax::Yaml, "a:\n  # msvc: allow(x)\n  - b: c|\n    d: e|\n  - f: g\n"),
            (Syntax::Yaml, "a: 1 # msvc: allow(x)|\nb: 2\n"),
            (Syntax::Dockerfile, "FROM a\n# msvc: allow(x)\nRUN b \\|\nc \\|\nd|\nRUN e\n"),
            (Syntax::Sql, "SELECT 1;\n-- msvc: allow(x)\nSELECT a|\nFROM b;|\nSELECT c;\n"),
            (Syntax::Toml, "a = 1\n# msvc: allow(x)\n[b]|\nc = 1|\n\n[d]\n"),
            (Syntax::Toml, "a = 1\n# msvc: allow(x)\nb = [|\n  1,|\n]|\nc = 1\n"),
            (Syntax::Env, "A=1\n# msvc: allow(x)\nB=2|\nC=3\n"),
        ];
        for (syntax, marked) in cases {
            let text = marked.replace("|\n", "\n");
            let found = directives(FileId(0), &text, syntax);
            assert_eq!(found.len(), 1, "{marked}");
            assert_eq!(found[0].text, "allow(x)");
            let covered: Vec<_> = text[found[0].covers.start as usize..found[0].covers.end as usize].lines().collect();
            let first = marked.lines().position(|line| line.ends_with('|')).unwrap();
            let last = marked.lines().count() - 1 - marked.lines().rev().position(|line| line.ends_with('|')).unwrap();
            let expected: Vec<_> = text.lines().skip(first).take(last + 1 - first).collect();
            assert_eq!(covered, expected, "{marked}");
        }
    }

    #[test]
    fn the_head_of_a_file_covers_findings_about_the_file() {
        let found = directives(FileId(0), "# Ours.\n# msvc: allow(x) because y\na: 1\nb: 2\n", Syntax::Yaml);
        assert_eq!(found[0].covers, Span::new(0, 39));
        assert_eq!(directives(FileId(0), "# msvc: allow(x)", Syntax::Yaml)[0].covers, Span::new(0, 16));
    }

    #[test]
    fn only_comments_that_say_so() {
        for (syntax, text) in [
            (Syntax::Yaml, "a: b#msvc: allow(x)\n"),
            (Syntax::Yaml, "# see msvc: allow(x)\n"),
            (Syntax::Sql, "# msvc: allow(x)\n"),
            (Syntax::Toml, ""),
        ] {
            assert_eq!(directives(FileId(0), text, syntax), [], "{text}");
        }
        let text = "let a = \"// msvc: no\"; // msvc: allow(x)\n";
        assert_eq!(rust_directives(FileId(0), text, [Span::new(23, 40)])[0].text, "allow(x)");
    }
}

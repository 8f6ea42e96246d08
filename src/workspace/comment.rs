//! Where a comment to the linter can be put: on a line of its own above what it is about, and never into a text.

use cargo_metadata::camino::Utf8Path;

use super::directive::{Directive, Syntax, directives, rust_directives};
use super::sources::{FileId, Span};
use super::walk::{self, Kind};
use super::{rust, settings, sql};

/// How far up a line is looked for that a comment can stand above: an expression or a text over more lines is rare.
const MAX_LINES: usize = 60;
/// What a Dockerfile's instructions begin with.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// A line that a comment can be inserted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'t> {
    /// Where the line starts.
    pub offset: usize,
    /// What it starts with, which the comment starts with, too.
    pub indent: &'t str,
    /// What begins a comment: `//`, `#`, `--`.
    pub marker: &'static str,
    /// What ends the lines of this file.
    pub line_break: &'static str,
}

/// How files of a kind write comments; `None` where they cannot.
pub(super) fn syntax(path: &Utf8Path, kind: Kind) -> Option<Syntax> {
    match kind {
        _ if path.extension() == Some("json") => None,
        Kind::Rust => Some(Syntax::Rust),
        Kind::Manifest | Kind::Toolchain | Kind::Cargo | Kind::Settings(settings::Format::Toml) => Some(Syntax::Toml),
        Kind::Dockerfile => Some(Syntax::Dockerfile),
        Kind::Settings(settings::Format::Env) => Some(Syntax::Env),
        Kind::Migration | Kind::Query => Some(Syntax::Sql),
        Kind::Compose | Kind::Kustomization | Kind::Yaml(_) | Kind::Settings(settings::Format::Yaml) => Some(Syntax::Yaml),
        Kind::Lock | Kind::Pipeline | Kind::Packaging => None,
    }
}

/// The line nearest above `at` that a comment can be inserted before, so that it covers `at` and the file means the same. `None`
/// where there is none.
pub fn place<'t>(path: &Utf8Path, text: &'t str, at: Span) -> Option<Place<'t>> {
    let syntax = syntax(path, walk::kind(path)?)?;
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with(syntax.marker());
    let lines = text.split_inclusive('\n').scan(0, |start, line| {
        let offset = *start;
        *start += line.len();
        Some((offset, line))
    });
    let lines: Vec<(usize, &str)> = lines.filter(|(_, line)| is_code(line)).collect();
    let here = lines.partition_point(|(offset, _)| *offset <= at.start as usize);
    // What is about the file as a whole is allowed at its head.
    let candidates =
        if at == Span::default() { &lines[..lines.len().min(1)] } else { &lines[here.saturating_sub(MAX_LINES)..here] };
    candidates.iter().rev().find_map(|(offset, line)| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let place = Place { offset: *offset, indent, marker: syntax.marker(), line_break };
        place.holds(syntax, text, at).then_some(place)
    })
}

impl Place<'_> {
    /// The whole line for what a comment says.
    pub fn line(&self, said: &str) -> String {
        format!("{}{} msvc: {said}{}", self.indent, self.marker, self.line_break)
    }

    fn holds(&self, syntax: Syntax, text: &str, at: Span) -> bool {
        let line = self.line("allow()");
        let with = format!("{}{line}{}", &text[..self.offset], &text[self.offset..]);
        let moved = if at == Span::default() { 0 } else { at.start as usize + line.len() };
        let covers = |directive: &Directive| {
            let stands_here = directive.at.span.start as usize == self.offset + self.indent.len();
            stands_here && directive.covers.range().contains(&moved)
        };
        let found = match syntax {
            Syntax::Rust => rust_directives(FileId::default(), &with, rust::comments(&with)),
            syntax => directives(FileId::default(), &with, syntax),
        };
        found.iter().any(covers) && self.changes_nothing(syntax, text, &with)
    }

    /// Whether what is inserted is a comment to whatever reads the file, too.
    fn changes_nothing(&self, syntax: Syntax, text: &str, with: &str) -> bool {
        let values = |format, text: &str| {
            let entries = settings::parse(FileId::default(), format, text).ok().map(|settings| settings.entries);
            entries.map(|entries| entries.into_iter().map(|entry| (entry.key, entry.value)).collect::<Vec<_>>())
        };
        let same = |format| values(format, text).is_some_and(|values_of| values(format, with) == Some(values_of));
        match syntax {
            // The lexer found it among the comments.
            Syntax::Rust => true,
            Syntax::Toml => same(settings::Format::Toml),
            Syntax::Yaml => same(settings::Format::Yaml),
            Syntax::Env => same(settings::Format::Env),
            Syntax::Sql => sql::same_tokens(text, with),
            Syntax::Dockerfile => starts_instruction(text, self.offset),
        }
    }
}

/// Whether an instruction of a Dockerfile starts at the line that starts at `offset`: not a line that continues one, and not one
/// of a here-document.
fn starts_instruction(text: &str, offset: usize) -> bool {
    let mut start = 0;
    let mut ends: Vec<String> = Vec::new();
    let mut continued = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if let Some(end) = ends.first() {
            if start == offset {
                return false;
            }
            if content == end {
                ends.remove(0);
            }
        } else if !content.starts_with('#') && !content.is_empty() {
            if start == offset {
                let word = content.split_whitespace().next().unwrap_or_default();
                return !continued && INSTRUCTIONS.contains(&word.to_ascii_uppercase().as_str());
            }
            continued = content.ends_with('\\') || content.ends_with('`');
            ends = here_documents(content);
        }
        start += line.len();
    }
    false
}

/// `<<EOF`, `<<-"EOF"`: the words that end the documents which a line begins.
fn here_documents(line: &str) -> Vec<String> {
    let words = line.match_indices("<<").map(|(at, _)| line[at + 2..].trim_start_matches('-').trim_start_matches(['"', '\'']));
    let words = words.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
    words.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case: a text in which `|` stands before what is to be covered, and the line that a comment goes above.
    #[test]
    fn places() {
        for (path, marked, line) in [
            ("src/main.rs", "fn f() {\n    |a();\n}\n", Some("    a();")),
            ("src/main.rs", "fn f() {\n    a\n        .|b();\n}\n", Some("        .b();")),
            ("src/main.rs", "const A: &str = \"\n  x |y\n  z\";\n", Some("const A: &str = \"")),
            ("src/main.rs", "const A: &str = r#\"\n  x |y\n  z\"#;\n", Some("const A: &str = r#\"")),
            ("src/main.rs", "/* a\n |b */\nfn f() {}\n", Some("/* a")),
            ("config.toml", "[a]\nb = [\n  1,\n  |2,\n]\n", Some("  2,")),
            ("config.toml", "[a]\nb = \"\"\"\nx\n|y\n\"\"\"\n", Some("[a]")),
            ("config.yaml", "a:\n  b: c\n  |d: e\n", Some("  d: e")),
            ("config.yaml", "a:\n- run: >-\n    x\n    |y\n", Some("- run: >-")),
            ("Dockerfile", "FROM a\nRUN b \\\n  |c\n", Some("RUN b \\")),
            ("Dockerfile", "FROM a\nRUN <<EOF\nADD |c\nEOF\n", None),
            ("Dockerfile", "FROM a\nRUN <<EOF\nb\nEOF\nUSER |c\n", Some("USER c")),
            (".env", "A=b\n|C=d\n", Some("C=d")),
            ("migrations/1.sql", "SELECT 1;\nALTER TABLE a\n  ADD |b int;\n", Some("  ADD b int;")),
            ("migrations/1.sql", "SELECT 'a\n |b\n c';\n", Some("SELECT 'a")),
            ("config.json", "{\n |\"a\": 1\n}\n", None),
            ("README.md", "|a\n", None),
        ] {
            let at = marked.find('|').unwrap();
            let text = marked.replacen('|', "", 1);
            let place = place(path.into(), &text, Span::new(at, at + 1));
            let found = place.map(|place| text[place.offset..].lines().next().unwrap());
            assert_eq!(found, line, "{path}: {marked}");
        }
    }

    #[test]
    fn the_head_of_a_file() {
        for (path, text, line) in [
            ("Dockerfile", "# syntax=docker/dockerfile:1\n\nFROM a\nRUN b\n", Some("FROM a")),
            ("src/main.rs", "//! Docs.\n\n#![allow(x)]\nfn f() {}\n", Some("#![allow(x)]")),
            ("Cargo.toml", "[package]\n", Some("[package]")),
            ("src/main.rs", "// nothing\n", None),
        ] {
            let found = place(path.into(), text, Span::default()).map(|place| text[place.offset..].lines().next().unwrap());
            assert_eq!(found, line, "{path}");
        }
        let text = "a: 1\r\nb: 2\r\n";
        assert_eq!(place("config.yaml".into(), text, Span::new(6, 7)).unwrap().line("x"), "# msvc: x\r\n");
    }
}

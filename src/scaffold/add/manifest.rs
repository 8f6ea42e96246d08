//! Extends a root `Cargo.toml` that people wrote: text is inserted at places that the parser's spans give, so every
//! other byte (comments, order, line ends) stays as it is.

use std::ops::Range;

use cargo_metadata::camino::Utf8Path;
use glob::{MatchOptions, Pattern};
use toml_edit::{Document, Item, Table, TableLike};

/// A root `Cargo.toml` that cannot be read or extended.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ManifestError {
    pub message: String,
    /// The bytes of the manifest that it is about.
    pub span: Option<Range<usize>>,
    pub help: Option<String>,
}

/// The root manifest of a workspace.
pub struct RootManifest<'t> {
    text: &'t str,
    document: Document<&'t str>,
}

impl<'t> RootManifest<'t> {
    /// # Errors
    /// When `text` is no TOML or holds no `[workspace]`.
    pub fn parse(text: &'t str) -> Result<Self, ManifestError> {
        let document = parse(text)?;
        if document.get("workspace").and_then(Item::as_table_like).is_none() {
            return Err(ManifestError { message: "there is no `[workspace]` table".into(), span: None, help: None });
        }
        Ok(Self { text, document })
    }

    fn workspace(&self) -> &dyn TableLike {
        self.document.get("workspace").and_then(Item::as_table_like).expect("checked when parsed")
    }

    /// A table of `[workspace]`: "dependencies", "package", "lints".
    pub fn table(&self, name: &str) -> Option<&dyn TableLike> {
        self.workspace().get(name).and_then(Item::as_table_like)
    }

    /// `members` or `exclude`.
    pub fn paths(&self, key: &str) -> Vec<&str> {
        let array = self.workspace().get(key).and_then(Item::as_array);
        array.map(|array| array.iter().filter_map(|value| value.as_str()).collect()).unwrap_or_default()
    }

    /// Whether Cargo takes a package in `directory` for a member, by the same order of rules: a path that is listed
    /// beats `exclude`, which beats a glob.
    pub fn covers(&self, directory: &Utf8Path) -> bool {
        let members = self.paths("members");
        let clean = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
        if members.iter().any(|member| clean(member) == directory.as_str()) {
            return true;
        }
        if self.paths("exclude").iter().any(|excluded| directory.starts_with(clean(excluded))) {
            return false;
        }
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        members
            .iter()
            .any(|member| Pattern::new(&clean(member)).is_ok_and(|pattern| pattern.matches_with(directory.as_str(), options)))
    }

    /// The manifest with `directories` in `members` and `dependencies` (key and TOML value) in
    /// `[workspace.dependencies]`.
    ///
    /// # Errors
    /// When those tables are written in a form that cannot be extended by whole lines.
    pub fn extended(&self, directories: &[&Utf8Path], dependencies: &[(String, String)]) -> Result<String, ManifestError> {
        let mut edits = Edits { newline: if self.text.contains("\r\n") { "\r\n" } else { "\n" }, insertions: Vec::new() };
        if !directories.is_empty() {
            self.add_members(directories, &mut edits)?;
        }
        if !dependencies.is_empty() {
            self.add_dependencies(dependencies, &mut edits)?;
        }
        let extended = edits.apply(self.text);
        // The insertions rest on spans and on layout: never hand out what does not parse.
        if parse(&extended).is_ok() {
            return Ok(extended);
        }
        let list = |texts: Vec<String>| texts.join(", ");
        Err(ManifestError {
            message: "the layout of this manifest is too unusual to be extended".into(),
            span: None,
            help: Some(format!(
                "add by hand to `members`: {}; to `[workspace.dependencies]`: {}",
                list(directories.iter().map(|directory| format!("\"{directory}\"")).collect()),
                list(dependencies.iter().map(|(key, value)| format!("{key} = {value}")).collect()),
            )),
        })
    }

    fn add_members(&self, directories: &[&Utf8Path], edits: &mut Edits) -> Result<(), ManifestError> {
        let quoted = directories.iter().map(|directory| format!("\"{directory}\"")).collect::<Vec<_>>();
        match self.workspace().get("members") {
            Some(Item::Value(toml_edit::Value::Array(array))) if array.span().is_some() => {
                let elements: Vec<_> = array.iter().filter_map(|value| value.span()).collect();
                self.extend_array(array.span().unwrap_or_default(), &elements, &quoted, edits);
                Ok(())
            }
            Some(other) => Err(ManifestError {
                message: "`members` is not an array".into(),
                span: other.span(),
                help: Some("write it as `members = [\"…\"]`".into()),
            }),
            None => {
                let line = format!("members = [{}]", quoted.join(", "));
                match self.document.get("workspace") {
                    Some(Item::Table(table)) if table.span().is_some() && !table.is_dotted() && !table.is_implicit() => {
                        edits.line_after(self.text, table.span().unwrap_or_default().end, &line);
                    }
                    Some(Item::Table(table)) if table.is_implicit() => edits.section(self.text, "[workspace]", &[line]),
                    _ => return Err(self.unextendable("workspace", "[workspace]")),
                }
                Ok(())
            }
        }
    }

    /// Adds values to an array, in the style it is written in.
    fn extend_array(&self, array: Range<usize>, elements: &[Range<usize>], quoted: &[String], edits: &mut Edits) {
        let inside = array.start + 1..array.end - 1;
        let multiline = self.text[inside.clone()].contains('\n');
        let last = elements.last().map(|span| span.end);
        let comma = last.and_then(|end| comma_after(self.text, end..inside.end));
        match (last, multiline) {
            (None, false) => edits.insert(inside.end, quoted.join(", ")),
            (None, true) => {
                // Only comments: whole lines before the bracket.
                let line_start = line_start(self.text, array.end - 1);
                for value in quoted {
                    edits.insert(line_start, format!("    {value},{}", edits.newline));
                }
            }
            (Some(end), false) => match comma {
                Some(comma) => edits.insert(comma + 1, format!(" {},", quoted.join(", "))),
                None => edits.insert(end, format!(", {}", quoted.join(", "))),
            },
            (Some(end), true) => {
                let first = elements.first().map_or(end, |span| span.start);
                let last_start = elements.last().map_or(first, |span| span.start);
                let before = &self.text[line_start(self.text, last_start)..last_start];
                let indent = if before.trim().is_empty() && !before.is_empty() { before } else { "    " };
                if comma.is_none() {
                    edits.insert(end, ",".to_owned());
                }
                let after = comma.map_or(end, |comma| comma + 1);
                // The rest of the last element's line may be a comment about it, or the bracket.
                let end_of_line = line_end(self.text, after);
                let after = if end_of_line <= inside.end { end_of_line } else { after };
                let newline = edits.newline;
                for (n, value) in quoted.iter().enumerate() {
                    let trailing = if comma.is_some() || n + 1 < quoted.len() { "," } else { "" };
                    edits.insert(after, format!("{newline}{indent}{value}{trailing}"));
                }
            }
        }
    }

    fn add_dependencies(&self, dependencies: &[(String, String)], edits: &mut Edits) -> Result<(), ManifestError> {
        let lines: Vec<_> = dependencies.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        match self.workspace().get("dependencies") {
            None if matches!(self.document.get("workspace"), Some(Item::Table(table)) if !table.is_dotted()) => {
                edits.section(self.text, "[workspace.dependencies]", &lines);
            }
            // `[workspace.dependencies.name]` tables only.
            Some(Item::Table(table)) if table.is_implicit() && !table.is_dotted() => {
                edits.section(self.text, "[workspace.dependencies]", &lines);
            }
            Some(Item::Table(table)) if !table.is_dotted() && table.span().is_some() => {
                let header = table.span().unwrap_or_default().end;
                let next_header = self.headers().into_iter().filter(|start| *start >= header).min();
                let mut ends = Vec::new();
                leaf_ends(table, &mut ends);
                let within = |end: &usize| *end > header && next_header.is_none_or(|next| *end <= next);
                let last = ends.into_iter().filter(within).max().unwrap_or(header);
                for line in &lines {
                    edits.line_after(self.text, last, line);
                }
            }
            _ => return Err(self.unextendable("dependencies", "[workspace.dependencies]")),
        }
        Ok(())
    }

    fn unextendable(&self, key: &str, header: &str) -> ManifestError {
        let item = if key == "workspace" { self.document.get(key) } else { self.workspace().get(key) };
        ManifestError {
            message: format!("`{key}` is written in a form that cannot be extended"),
            span: item.and_then(Item::span),
            help: Some(format!("write it as a table that starts with a line `{header}`")),
        }
    }

    /// Where the table headers of the whole document start.
    fn headers(&self) -> Vec<usize> {
        fn collect(table: &Table, starts: &mut Vec<usize>) {
            for (_, item) in table.iter() {
                match item {
                    Item::Table(table) => {
                        if !table.is_dotted() {
                            starts.extend(table.span().map(|span| span.start));
                        }
                        collect(table, starts);
                    }
                    Item::ArrayOfTables(tables) => {
                        for table in tables.iter() {
                            starts.extend(table.span().map(|span| span.start));
                            collect(table, starts);
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut starts = Vec::new();
        collect(self.document.as_table(), &mut starts);
        starts
    }
}

/// Text to insert, by byte offset; of several at one place the first comes first.
struct Edits {
    newline: &'static str,
    insertions: Vec<(usize, String)>,
}

impl Edits {
    fn insert(&mut self, at: usize, text: String) {
        self.insertions.push((at, text));
    }

    /// A line of its own after the line that holds `offset`.
    fn line_after(&mut self, text: &str, offset: usize, line: &str) {
        self.insert(line_end(text, offset), format!("{}{line}", self.newline));
    }

    /// A new table at the end of the file.
    fn section(&mut self, text: &str, header: &str, lines: &[String]) {
        let newline = self.newline;
        let start = if text.ends_with('\n') { newline.to_owned() } else { newline.repeat(2) };
        self.insert(text.len(), format!("{start}{header}{newline}{}{newline}", lines.join(newline)));
    }

    fn apply(mut self, text: &str) -> String {
        self.insertions.sort_by_key(|(at, _)| *at);
        let mut result = String::with_capacity(text.len() + 256);
        let mut copied = 0;
        for (at, insertion) in self.insertions {
            result.push_str(&text[copied..at]);
            result.push_str(&insertion);
            copied = at;
        }
        result.push_str(&text[copied..]);
        result
    }
}

/// Parses any manifest.
pub fn parse(text: &str) -> Result<Document<&str>, ManifestError> {
    Document::parse(text).map_err(|error| ManifestError { message: error.message().to_owned(), span: error.span(), help: None })
}

/// Ends of all values in a table's own lines and dotted keys.
fn leaf_ends(table: &Table, ends: &mut Vec<usize>) {
    for (_, item) in table.iter() {
        match item {
            Item::Value(value) => ends.extend(value.span().map(|span| span.end)),
            Item::Table(inner) if inner.is_dotted() => leaf_ends(inner, ends),
            _ => {}
        }
    }
}

/// Where the next comma stands that is not in a comment.
fn comma_after(text: &str, range: Range<usize>) -> Option<usize> {
    let mut in_comment = false;
    for (at, c) in text[range.clone()].char_indices() {
        match c {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            ',' if !in_comment => return Some(range.start + at),
            _ => {}
        }
    }
    None
}

/// Offset of the line end (before `\r\n` or `\n`) at or after `offset`.
fn line_end(text: &str, offset: usize) -> usize {
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    if text[..end].ends_with('\r') && end > offset { end - 1 } else { end }
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests;

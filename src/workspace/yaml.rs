//! YAML (and JSON, which is YAML too) as plain trees with byte spans.
//!
//! Built from parser events and not from a library's tree: depth and alias expansion stay bounded, scalars keep their
//! exact text (`1.10` is no number), and nothing recurses.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::sources::{Span, Spanned};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text as written, quotes and escapes undone. `plain` is false for quoted and block scalars.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// In the order written, merge keys (`<<`) already applied.
    Mapping(Vec<(Node, Node)>),
}

/// Why a text gave no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A Helm, Jinja or other template: YAML only once rendered.
    Template,
    Invalid {
        span: Span,
        message: String,
    },
}

/// Deeper nesting than any real document has.
const MAX_DEPTH: usize = 128;
/// How many nodes anchors and aliases may copy in one file.
const MAX_COPIED_NODES: usize = 100_000;

/// All documents of `text`.
pub fn parse(text: &str) -> Result<Vec<Node>, Failure> {
    let parsed = Builder::new(text).run().or_else(|failure| match closing_brackets_joined(text) {
        Some(joined) => Builder::new(&joined).run().map_err(|_| failure),
        None => Err(failure),
    });
    parsed.map_err(|failure| match failure {
        Failure::Invalid { .. } if has_template_tags(text) => Failure::Template,
        failure => failure,
    })
}

/// Docker, Kubernetes and GitHub take a closing bracket that stands no deeper than its key; the YAML specification does not.
/// The same text, byte for byte as long, with such brackets on the line before.
fn closing_brackets_joined(text: &str) -> Option<String> {
    let mut joined = text.as_bytes().to_vec();
    for (newline, _) in text.match_indices('\n') {
        let line = text[..newline].rsplit('\n').next().unwrap_or_default();
        if text[newline + 1..].trim_start_matches(' ').starts_with([']', '}']) && !line.contains('#') {
            joined[newline] = b' ';
        }
    }
    String::from_utf8(joined).ok().filter(|joined| joined != text)
}

/// Whether `text` holds Helm, Go or Jinja tags. GitHub's `${{ }}` is none.
pub fn has_template_tags(text: &str) -> bool {
    text.contains("{%") || text.match_indices("{{").any(|(at, _)| !text[..at].ends_with('$'))
}

/// A collection that is not closed yet.
struct Open {
    start: usize,
    anchor: usize,
    mapping: bool,
    /// Alternating keys and values of a mapping, items of a sequence.
    nodes: Vec<Node>,
}

struct Builder<'a> {
    text: &'a str,
    /// Byte offset of each character; empty when all are ASCII.
    offsets: Vec<u32>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    documents: Vec<Node>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect()
        };
        Self { text, offsets, open: Vec::new(), anchors: HashMap::new(), copied: 0, documents: Vec::new() }
    }

    /// The parser counts characters; spans count bytes.
    fn byte(&self, character: usize) -> usize {
        if self.offsets.is_empty() {
            character.min(self.text.len())
        } else {
            self.offsets.get(character).map_or(self.text.len(), |at| *at as usize)
        }
    }

    fn invalid(&self, at: usize, message: impl Into<String>) -> Failure {
        Failure::Invalid { span: Span::new(at, at), message: message.into() }
    }

    fn run(mut self) -> Result<Vec<Node>, Failure> {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(event) = parser.next_event() {
            let (event, span) =
                event.map_err(|error| self.invalid(self.byte(error.marker().index()), error.info().to_owned()))?;
            let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
            match event {
                Event::Scalar(text, style, anchor, _) => {
                    let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                    self.close(Node { span: Span::new(start, end), value }, anchor)?;
                }
                Event::SequenceStart(anchor, _) => self.open(start, anchor, false)?,
                Event::MappingStart(anchor, _) => self.open(start, anchor, true)?,
                Event::SequenceEnd | Event::MappingEnd => self.close_collection(end)?,
                Event::Alias(anchor) => {
                    let node = self.anchors.get(&anchor).cloned();
                    let node = node.ok_or_else(|| self.invalid(start, "an alias inside its own anchor"))?;
                    self.count_copies(&node, start)?;
                    self.close(Node { span: Span::new(start, end), ..node }, 0)?;
                }
                Event::DocumentStart(_) => self.anchors.clear(),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(self.documents)
    }

    fn open(&mut self, start: usize, anchor: usize, mapping: bool) -> Result<(), Failure> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.invalid(start, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.open.push(Open { start, anchor, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn close_collection(&mut self, end: usize) -> Result<(), Failure> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // A block collection ends where the next token starts; its text ends earlier.
        let end = open.start + self.text.get(open.start..end).map_or(0, |text| text.trim_end().len());
        let value = if open.mapping { Value::Mapping(entries(open.nodes)) } else { Value::Sequence(open.nodes) };
        if let Value::Mapping(entries) = &value
            && let Some((key, _)) = entries.iter().find(|(key, _)| matches!(key.value, Value::Mapping(_)))
            && self.text[key.span.start as usize..].starts_with('{')
        {
            // `image: {{ .Values.image }}` is a mapping with a mapping as its key: nobody means that.
            return Err(self.invalid(key.span.start as usize, "a mapping as a mapping's key"));
        }
        self.close(Node { span: Span::new(open.start, end), value }, open.anchor)
    }

    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Failure> {
        if anchor > 0 {
            self.count_copies(&node, node.span.start as usize)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }

    fn count_copies(&mut self, node: &Node, at: usize) -> Result<(), Failure> {
        self.copied += node.count();
        if self.copied > MAX_COPIED_NODES {
            return Err(self.invalid(at, format!("anchors and aliases that expand to more than {MAX_COPIED_NODES} nodes")));
        }
        Ok(())
    }
}

/// Pairs up keys and values and applies merge keys: own entries win over merged ones.
fn entries(nodes: Vec<Node>) -> Vec<(Node, Node)> {
    let mut own = Vec::with_capacity(nodes.len() / 2);
    let mut merged = Vec::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        if matches!(&key.value, Value::Scalar { text, plain: true } if text == "<<") {
            match value.value {
                Value::Mapping(entries) => merged.extend(entries),
                Value::Sequence(items) => merged.extend(items.into_iter().flat_map(|item| match item.value {
                    Value::Mapping(entries) => entries,
                    _ => Vec::new(),
                })),
                Value::Scalar { .. } => {}
            }
        } else {
            own.push((key, value));
        }
    }
    if !merged.is_empty() {
        let mut seen: std::collections::HashSet<String> =
            own.iter().filter_map(|(key, _)| key.as_str().map(str::to_owned)).collect();
        own.extend(merged.into_iter().filter(|(key, _)| key.as_str().is_none_or(|key| seen.insert(key.to_owned()))));
    }
    own
}

impl Node {
    /// Text of a scalar that is not null.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain } if !(*plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")) => {
                Some(text)
            }
            _ => None,
        }
    }

    /// [`Node::as_str`] with its span.
    pub fn text(&self) -> Option<Spanned<String>> {
        Some(Spanned { value: self.as_str()?.to_owned(), span: self.span })
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.as_str()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// A whole number that fits the asked type.
    pub fn as_number<T: std::str::FromStr>(&self) -> Option<T> {
        self.as_str()?.parse().ok()
    }

    /// Value of `key`; `None` where this is no mapping or has no such key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Items of a sequence; empty for everything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Entries of a mapping; empty for everything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The texts of a sequence, or the one text of a scalar.
    pub fn texts(&self) -> Vec<Spanned<String>> {
        match &self.value {
            Value::Sequence(items) => items.iter().filter_map(Node::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 1,
            Value::Sequence(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Mapping(entries) => 1 + entries.iter().map(|(key, value)| key.count() + value.count()).sum::<usize>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        parse(text).unwrap().pop().unwrap()
    }

    #[test]
    fn spans_are_bytes() {
        let text = "name: été # naïve\nlist:\n  - \"ü\"\n  - b\n\n\nend: x\n";
        let node = one(text);
        let shown = |path: &[&str]| {
            let span = node.at(path).unwrap().span;
            &text[span.start as usize..span.end as usize]
        };
        assert_eq!(shown(&["name"]), "été");
        assert_eq!(shown(&["list"]), "- \"ü\"\n  - b");
        assert_eq!(shown(&["end"]), "x");
    }

    #[test]
    fn scalars_keep_their_text() {
        let node = one("a: 1.10\nb: '~'\nc: ~\nd:\ne: yes\nf: true");
        assert_eq!(node.get("a").unwrap().as_str(), Some("1.10"));
        assert_eq!(node.get("b").unwrap().as_str(), Some("~"));
        assert_eq!(node.get("c").unwrap().as_str(), None);
        assert_eq!(node.get("d").unwrap().as_str(), None);
        assert_eq!(node.get("e").unwrap().as_bool(), None);
        assert_eq!(node.get("f").unwrap().as_bool(), Some(true));
    }

    #[test]
    fn brackets_may_close_where_their_key_stands() {
        let text = "command: [\n  a,\n  b\n]\nnext: {\n  c: d\n}\n";
        let documents = parse(text).unwrap();
        let Value::Mapping(entries) = &documents[0].value else { panic!("{documents:?}") };
        assert_eq!(entries.len(), 2);
        let Value::Sequence(items) = &entries[0].1.value else { panic!("{entries:?}") };
        assert_eq!(&text[items[1].span.start as usize..items[1].span.end as usize], "b");
        assert!(matches!(parse("command: [\n  a\nnext: b\n"), Err(Failure::Invalid { .. })));
    }

    #[test]
    fn merge_keys() {
        let node = one("base: &base {a: 1, b: 2}\none:\n  <<: *base\n  b: 3\ntwo:\n  <<: [*base, {c: 4}]\n");
        assert_eq!(node.at(&["one", "a"]).unwrap().as_str(), Some("1"));
        assert_eq!(node.at(&["one", "b"]).unwrap().as_str(), Some("3"));
        assert_eq!(node.at(&["two", "c"]).unwrap().as_str(), Some("4"));
    }

    #[test]
    fn documents() {
        assert_eq!(parse("a: 1\n---\nb: 2\n---\n").unwrap().len(), 3);
        assert_eq!(parse("").unwrap().len(), 0);
        assert_eq!(parse("# only a comment\n").unwrap().len(), 0);
        assert_eq!(one("{\"json\": [1, \"two\\u00e9\"],\t\"x\": null}").get("json").unwrap().items()[1].as_str(), Some("twoé"));
    }

    #[test]
    fn templates_are_told_from_errors() {
        for template in [
            "image: {{ .Values.image }}\n",
            "{{- if .Values.on }}\na: 1\n{{- end }}\n",
            "{% for x in y %}\n- {{ x }}\n{% endfor %}\n",
            "a:\n  {{- toYaml .Values.x | nindent 2 }}\n",
        ] {
            assert_eq!(parse(template), Err(Failure::Template), "{template}");
        }
        assert!(parse("run: echo ${{ github.sha }}\n").is_ok());
        assert!(matches!(parse("a: [1, 2\n"), Err(Failure::Invalid { .. })));
        assert!(matches!(parse("a: b: c\n"), Err(Failure::Invalid { .. })));
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let previous = format!("*a{}", level - 1);
            laughs += &format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(", "));
        }
        let million = format!("a: &a x\nb: [{}]\n", "*a, ".repeat(1_000_000));
        let flow = "[".repeat(500_000);
        let block = "- ".repeat(500_000);
        let mapping: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        for bomb in [&laughs, &million, &flow, &block, &mapping] {
            assert!(matches!(parse(bomb), Err(Failure::Invalid { .. })), "{}", &bomb[..20]);
        }
        for odd in ["a: *b", "&a [*a]", "\u{feff}a: 1", "\0", "a: \"", "? ? ?", "%YAML 9\n---\n", "- - -\n -", "a: |9\n", "!!"] {
            let _ = parse(odd);
        }
    }
}

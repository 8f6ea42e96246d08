//! What a function's body names, told by its tokens alone; and the source without what need not be parsed at once.
//!
//! Most functions of a workspace are never asked about, so most bodies are never parsed. What leads to the few that are,
//! names and calls, stands in the tokens.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use serde::{Deserialize, Serialize};

use super::bodies::{MAX_BODIES, MAX_LENGTH};
use super::facts::{Name, Segments};
use super::nesting::{self, SHALLOW};
use super::tokens::{Kind, Token, Tokens};
use crate::workspace::Span;

/// What the tokens of one function's body say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// From brace to brace.
    pub span: Span,
    /// Paths as they stand, in order of first use, generics left out: of calls, values, types, patterns, macros and struct
    /// literals. More than a parser would take for one: a local name is a path, too.
    pub paths: Box<[Segments]>,
    /// Names behind a dot or behind `>::` that are called.
    pub methods: Box<[Name]>,
    /// Last names of all that is called, of macros, struct literals and fields; `loop` for loops of any kind.
    pub names: Box<[Name]>,
    /// String literals, between their quotes.
    pub texts: Box<[Span]>,
}

/// Among the names, that there is a loop.
const LOOP: &str = "loop";

/// A file's bodies that can wait, and the rest of it.
pub(super) struct Outlined {
    /// The text with blanks in place of those bodies, of test modules and of doc comments: as long as before.
    pub rest: String,
    /// In source order.
    pub bodies: Vec<Outline>,
}

/// Words that start an item: its names count in the whole module, so a body with one is parsed with the file.
fn starts_item(word: &str) -> bool {
    matches!(
        word,
        "const" | "enum" | "extern" | "fn" | "impl" | "macro_rules" | "mod" | "static" | "struct" | "trait" | "type" | "use"
    )
}

/// Words that are no names.
#[rustfmt::skip]
fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "as" | "async" | "await" | "break" | "continue" | "dyn" | "else" | "false" | "for" | "if" | "in" | "let" | "loop" | "match"
            | "move" | "mut" | "ref" | "return" | "true" | "unsafe" | "where" | "while"
    )
}

pub(super) fn outline(text: &str, tokens: &Tokens) -> Outlined {
    let Some(closing) = closings(&tokens.all) else {
        // The parser says what is wrong.
        return Outlined { rest: text.to_owned(), bodies: Vec::new() };
    };
    let mut reader =
        Reader { text, tokens: &tokens.all, closing: &closing, names: HashMap::default(), paths: HashMap::default() };
    let (bodies, mut blanks) = reader.items();
    blanks.extend(&tokens.docs);
    let mut rest = text.as_bytes().to_vec();
    for (start, end) in blanks {
        for byte in &mut rest[start as usize..end as usize] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    let rest = String::from_utf8(rest).expect("whole tokens and comments are blanked");
    Outlined { rest, bodies }
}

/// For each opening bracket the index of the one that closes it; `None` where they do not match.
fn closings(tokens: &[Token]) -> Option<Vec<u32>> {
    let mut closing = vec![0; tokens.len()];
    let mut open: Vec<(u8, usize)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign(b'(') => open.push((b')', index)),
            Kind::Sign(b'[') => open.push((b']', index)),
            Kind::Sign(b'{') => open.push((b'}', index)),
            Kind::Sign(sign @ (b')' | b']' | b'}')) => match open.pop() {
                Some((expected, start)) if expected == sign => closing[start] = u32::try_from(index).ok()?,
                _ => return None,
            },
            _ => {}
        }
    }
    open.is_empty().then_some(closing)
}

struct Reader<'t> {
    text: &'t str,
    tokens: &'t [Token],
    closing: &'t [u32],
    names: HashMap<&'t str, Name>,
    /// Paths by their text.
    paths: HashMap<&'t str, Segments>,
}

impl<'t> Reader<'t> {
    /// Bodies that can wait, and what need not be parsed.
    fn items(&mut self) -> (Vec<Outline>, Vec<(u32, u32)>) {
        let (mut bodies, mut blanks) = (Vec::new(), Vec::new());
        let mut at = 0;
        let mut for_tests = false;
        while at < self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Sign(b'#') => {
                    let open = at + 1 + usize::from(self.is(at + 1, b'!'));
                    if self.is(open, b'[') {
                        let end = self.closing[open] as usize;
                        for_tests |= open == at + 1 && self.words(at + 2, end) == ["cfg", "test"];
                        at = end + 1;
                        continue;
                    }
                }
                Kind::Word => match self.word(at) {
                    "pub" => {
                        at = if self.is(at + 1, b'(') { self.closing[at + 1] as usize + 1 } else { at + 1 };
                        continue;
                    }
                    "mod" if for_tests && self.is(at + 2, b'{') => {
                        let end = self.closing[at + 2] as usize;
                        blanks.push((self.tokens[at + 2].end, self.tokens[end].start));
                        at = end;
                    }
                    "fn" if self.is_word(at + 1) => match self.body(at + 2) {
                        Some(open) => {
                            let close = self.closing[open] as usize;
                            if bodies.len() < MAX_BODIES
                                && let Some(outline) = self.waits(open, close)
                            {
                                blanks.push((self.tokens[open].end, self.tokens[close].start));
                                bodies.push(outline);
                            }
                            at = close;
                        }
                        None => at += 1,
                    },
                    // What a macro takes is the macro's affair.
                    _ if self.is(at + 1, b'!') => {
                        let open = at + 2 + usize::from(self.is_word(at + 2));
                        if [b'(', b'[', b'{'].iter().any(|bracket| self.is(open, *bracket)) {
                            at = self.closing[open] as usize;
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
            for_tests = false;
            at += 1;
        }
        (bodies, blanks)
    }

    /// The brace that opens the body of the function whose name ends before `at`; `None` where it has no body.
    fn body(&self, mut at: usize) -> Option<usize> {
        loop {
            match self.tokens.get(at)?.kind {
                Kind::Sign(b'(' | b'[') => at = self.closing[at] as usize,
                // `Matrix<{ N }>`
                Kind::Sign(b'{')
                    if self.is(at - 1, b'<') || self.is(at - 1, b',') && self.is(self.closing[at] as usize + 1, b'>') =>
                {
                    at = self.closing[at] as usize;
                }
                Kind::Sign(b'{') => return Some(at),
                Kind::Sign(b';' | b'}') => return None,
                _ => {}
            }
            at += 1;
        }
    }

    /// What a body names, if it can be parsed later and by itself.
    fn waits(&mut self, open: usize, close: usize) -> Option<Outline> {
        if self.tokens[close].end - self.tokens[open].start > MAX_LENGTH as u32 {
            return None;
        }
        let inside = &self.tokens[open + 1..close];
        let is_item = |index: usize| self.tokens[index].kind == Kind::Word && starts_item(self.word(index));
        if (open + 1..close).any(is_item) || nesting::beyond(SHALLOW, self.text, inside).is_some() {
            return None;
        }
        let mut found = Found::default();
        self.collect(open + 1, close, &mut found)?;
        let span = Span::new(self.tokens[open].start as usize, self.tokens[close].end as usize);
        let Found { paths, methods, names, texts, .. } = found;
        Some(Outline { span, paths: paths.into(), methods: methods.into(), names: names.into(), texts: texts.into() })
    }

    /// `None` where a path starts with a type in angle brackets: `<Client>::new()`.
    fn collect(&mut self, mut at: usize, end: usize, found: &mut Found) -> Option<()> {
        while at < end {
            let token = self.tokens[at];
            match token.kind {
                Kind::Text => found.texts.push(Span::new(token.start as usize, token.end as usize)),
                Kind::Word if self.is(at.wrapping_sub(1), b'.') && !self.is(at.wrapping_sub(2), b'.') => {
                    let name = self.name(at);
                    if self.is(at + 1, b'(') || self.is(at + 1, b':') {
                        found.method(&name);
                    }
                    found.name(name);
                }
                // `self.0`, and `self.0.1` as one number.
                Kind::Other if self.is(at.wrapping_sub(1), b'.') => {
                    self.word(at).split('.').for_each(|index| found.name(index.into()));
                }
                Kind::Word if is_keyword(self.word(at)) => match self.word(at) {
                    "for" | "loop" | "while" => found.name(LOOP.into()),
                    "let" => self.taken_apart(at + 1, found),
                    _ => {}
                },
                Kind::Word
                    if self.is(at.wrapping_sub(1), b':')
                        && self.is(at.wrapping_sub(2), b':')
                        && self.is(at.wrapping_sub(3), b'>') =>
                {
                    return None;
                }
                Kind::Word => {
                    at = self.path(at, end, found)?;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        Some(())
    }

    /// `let Self { http, base } = …` reads the fields `http` and `base`.
    fn taken_apart(&mut self, start: usize, found: &mut Found) {
        let mut at = start + 1;
        while self.is(at, b':') && self.is(at + 1, b':') && self.is_word(at + 2) {
            at += 3;
        }
        if self.is_word(start) && self.is(at, b'{') {
            let fields = at + 1..self.closing[at] as usize;
            fields.filter(|at| self.is_word(*at)).collect::<Vec<_>>().into_iter().for_each(|at| found.name(self.name(at)));
        }
    }

    /// Reads the path that starts here; returns where the next token stands.
    fn path(&mut self, start: usize, end: usize, found: &mut Found) -> Option<usize> {
        let mut last = start;
        let mut at = start + 1;
        let mut segments = vec![self.name(start)];
        let mut plain = true;
        while self.is(at, b':') && self.is(at + 1, b':') && at + 2 < end {
            if self.is_word(at + 2) {
                last = at + 2;
                segments.push(self.name(last));
                at += 3;
            } else if self.is(at + 2, b'<') {
                let close = self.angle(at + 2, end)?;
                self.collect(at + 3, close, found)?;
                plain = false;
                at = close + 1;
            } else {
                break;
            }
        }
        let is_field = segments.len() == 1 && self.is(at, b':');
        if !is_field {
            let text = self.text.get(self.tokens[start].start as usize..self.tokens[last].end as usize).filter(|_| plain);
            let path = match text {
                Some(text) => *self.paths.entry(text).or_insert_with(|| segments.as_slice().into()),
                None => segments.as_slice().into(),
            };
            found.path(path);
        }
        if self.is(at, b'(') || self.is(at, b'{') || self.is(at, b'!') {
            found.name(self.name(last));
        }
        Some(at)
    }

    /// The `>` that closes this `<`; `None` where that is no list of types.
    fn angle(&self, open: usize, end: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in open..end {
            match self.tokens[at].kind {
                Kind::Sign(b'<') => depth += 1,
                Kind::Sign(b'>') if self.is(at - 1, b'-') => {}
                Kind::Sign(b'>') => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                Kind::Sign(b';') => return None,
                _ => {}
            }
        }
        None
    }

    fn is(&self, at: usize, sign: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Sign(sign))
    }

    fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word)
    }

    fn word(&self, at: usize) -> &'t str {
        let Token { start, end, .. } = self.tokens[at];
        &self.text[start as usize..end as usize]
    }

    /// All words from here to there.
    fn words(&self, start: usize, end: usize) -> Vec<&'t str> {
        (start..end).filter(|at| self.is_word(*at)).map(|at| self.word(at)).collect()
    }

    fn name(&mut self, at: usize) -> Name {
        let word = self.word(at);
        *self.names.entry(word).or_insert_with(|| word.into())
    }
}

/// Each once, in order of first use.
#[derive(Default)]
struct Found {
    paths: Vec<Segments>,
    methods: Vec<Name>,
    names: Vec<Name>,
    texts: Vec<Span>,
    seen_paths: HashSet<Segments>,
    seen_methods: HashSet<Name>,
    seen_names: HashSet<Name>,
}

impl Found {
    fn path(&mut self, path: Segments) {
        if self.seen_paths.insert(path) {
            self.paths.push(path);
        }
    }

    fn method(&mut self, name: &Name) {
        if self.seen_methods.insert(*name) {
            self.methods.push(*name);
        }
    }

    fn name(&mut self, name: Name) {
        if self.seen_names.insert(name) {
            self.names.push(name);
        }
    }
}

impl Outline {
    /// Every name in it, as written.
    pub fn all_names(&self) -> impl Iterator<Item = &Name> {
        self.paths.iter().flatten().chain(&self.names)
    }

    /// Whether it says `for`, `loop` or `while`.
    pub fn loops(&self) -> bool {
        self.names(LOOP)
    }

    /// Whether something of that name is called, or a field read.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|known| &**known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlines(text: &str) -> (String, Vec<Outline>) {
        let outlined = outline(text, &Tokens::read(text));
        assert_eq!(outlined.rest.len(), text.len());
        (outlined.rest, outlined.bodies)
    }

    #[test]
    fn bodies_are_taken_out() {
        for (text, rest) in [
            ("fn a() { b() }", "fn a() {     }"),
            ("fn a() -> [u8; { 2 }] { b() }", "fn a() -> [u8; { 2 }] {     }"),
            ("fn a() -> M<{ 2 }> where B: C { b() }", "fn a() -> M<{ 2 }> where B: C {     }"),
            ("trait A { fn a(); fn b() { c } }", "trait A { fn a(); fn b() {   } }"),
            ("impl A { fn a() { b } }", "impl A { fn a() {   } }"),
            ("type F = fn(u8); const A: u8 = { 1 };", "type F = fn(u8); const A: u8 = { 1 };"),
            // Items inside count outside.
            ("fn a() { use b::c; c() }", "fn a() { use b::c; c() }"),
            ("m! { fn a() { b } }", "m! { fn a() { b } }"),
            ("macro_rules! m { () => { fn a() { b } } }", "macro_rules! m { () => { fn a() { b } } }"),
            ("#[cfg(test)] mod t { fn a() {} }", "#[cfg(test)] mod t {           }"),
            ("#[cfg(test)] #[path = \"x\"] pub(crate) mod t { a }", "#[cfg(test)] #[path = \"x\"] pub(crate) mod t {   }"),
            ("#[cfg(not(test))] mod t { a }", "#[cfg(not(test))] mod t { a }"),
            ("#[cfg(test)] use a; mod t { b }", "#[cfg(test)] use a; mod t { b }"),
            ("/// é\nstruct A;", "      \nstruct A;"),
            ("fn a() { <T>::b() }", "fn a() { <T>::b() }"),
            ("fn a() { ] }", "fn a() { ] }"),
        ] {
            assert_eq!(outlines(text).0, rest);
        }
    }

    #[test]
    fn what_a_body_names() {
        for (body, paths, methods, names) in [
            ("a::b(c)", "a::b c", "", "b"),
            ("let x: Vec<T> = y.z(&self.w)?;", "Vec T y self", "z", "z w"),
            ("A::<B<C>>::new().d::<E>()", "B C A::new E", "d", "new d"),
            ("m!(a, b = %c.d)", "m a b c", "", "m d"),
            ("S { e: f, ..g() }", "S f g", "", "S g"),
            ("match a { E::V(x) if !y => (0..n).len(), _ => 1 }", "a E::V x y n _", "len", "a V len"),
            ("a::b(); a::b(); x.a().a()", "a::b x", "a", "b a"),
        ] {
            let (_, bodies) = outlines(&format!("fn f() {{ {body} }}"));
            let [outline] = &bodies[..] else { panic!("{body}: one body") };
            let words = |names: &[Name]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ");
            let found = outline.paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(" ");
            assert_eq!(
                (found.as_str(), words(&outline.methods), words(&outline.names)),
                (paths, methods.into(), names.into()),
                "{body}"
            );
        }
    }
}

//! One statement: which tables it makes, changes, writes and reads.

use super::changes::{self, Change};
use super::tokens::{Kind, Token, tokens};
use super::{Span, Table};

/// Facts of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// In the text, comments before it left out.
    pub span: Span,
    pub uses: Vec<TableUse>,
    /// What it creates is a view.
    pub view: bool,
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    pub verb: Verb,
    pub table: Table,
    /// Of the table's name.
    pub span: Span,
}

/// What a statement does to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Create,
    /// `ALTER TABLE`, an index or a trigger on it.
    Alter,
    Drop,
    /// A foreign key points at it.
    Reference,
    /// INSERT, UPDATE, DELETE, MERGE, TRUNCATE, `COPY … FROM`.
    Write,
    Read,
}

/// How a statement may start.
const STARTS: &[&str] = &[
    "SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY", "CREATE", "ALTER", "DROP", "RENAME",
];

/// Words that follow FROM and JOIN and are no table.
const NO_TABLE: &[&str] = &[
    "SELECT",
    "LATERAL",
    "UNNEST",
    "VALUES",
    "ONLY",
    "JSON_TABLE",
    "WHERE",
    "SET",
    "INTO",
    "ON",
    "USING",
    "AS",
    "STDIN",
    "STDOUT",
];

/// Functions whose arguments are told apart by FROM.
const FROM_FUNCTIONS: &[&str] = &["EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION"];

/// The statements of a text; text that is no SQL has none.
pub fn read(text: &str) -> Vec<Statement> {
    let tokens = tokens(text);
    let statements = tokens.split(|token| token.is_sign(';'));
    statements.filter_map(read_statement).collect()
}

fn read_statement(tokens: &[Token<'_>]) -> Option<Statement> {
    let tokens = &tokens[tokens.iter().take_while(|token| token.is_sign('(')).count()..];
    let (first, last) = (tokens.first()?, tokens.last()?);
    if !STARTS.iter().any(|start| first.is(start)) {
        return None;
    }
    let mut statement = Statement { span: Span { start: first.span.start, end: last.span.end }, ..Statement::default() };
    let mut reader = Reader { tokens, at: 0 };
    if first.is("CREATE") {
        create(&mut reader, &mut statement);
    } else if first.is("ALTER") || first.is("DROP") || first.is("RENAME") {
        alter(&mut reader, &mut statement);
    } else if !rows(tokens, &mut statement) {
        return None;
    }
    statement.uses.retain(|used| !used.table.is_system());
    Some(statement)
}

/// Tokens, read one after the other.
pub(super) struct Reader<'t> {
    pub tokens: &'t [Token<'t>],
    pub at: usize,
}

impl<'t> Reader<'t> {
    pub fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at)
    }

    /// Takes these keywords, if they come next.
    pub fn take(&mut self, keywords: &[&str]) -> bool {
        let next = self.tokens.get(self.at..self.at + keywords.len()).unwrap_or_default();
        let found = next.len() == keywords.len() && next.iter().zip(keywords).all(|(token, keyword)| token.is(keyword));
        self.at += if found { keywords.len() } else { 0 };
        found
    }

    pub fn take_any(&mut self, keywords: &[&str]) {
        while keywords.iter().any(|keyword| self.take(&[keyword])) {}
    }

    /// `name`, `schema.name`, `database.schema.name`.
    pub fn table(&mut self) -> Option<(Table, Span)> {
        let (names, span) = dotted(self.tokens, &mut self.at)?;
        let (name, before) = names.split_last()?;
        Some((Table::new(before.last().copied(), name), span))
    }
}

fn dotted<'t>(tokens: &'t [Token<'t>], at: &mut usize) -> Option<(Vec<&'t str>, Span)> {
    let first = tokens.get(*at).filter(|token| token.is_name())?;
    let mut names = vec![first.text];
    let mut span = first.span;
    *at += 1;
    while let [dot, name, ..] = tokens.get(*at..).unwrap_or_default() {
        if !dot.is_sign('.') || !name.is_name() {
            break;
        }
        names.push(name.text);
        span.end = name.span.end;
        *at += 2;
    }
    // `orders_{shard}`, `{schema}.orders`, `orders.{name}`: the name is not known.
    let touches = |token: Option<&Token<'_>>, end: u32| token.is_some_and(|token| token.is_sign('{') && token.span.start == end);
    let unknown = touches(tokens.get(*at), span.end) || tokens.get(*at).is_some_and(|token| token.is_sign('.'));
    (!unknown && names.iter().all(|name| !name.is_empty() && !name.contains('{'))).then_some((names, span))
}

fn create(reader: &mut Reader<'_>, statement: &mut Statement) {
    reader.at = 1;
    reader.take(&["OR", "REPLACE"]);
    let temporary = reader.peek().is_some_and(|token| token.is("TEMP") || token.is("TEMPORARY"));
    reader.take_any(&[
        "GLOBAL",
        "LOCAL",
        "TEMP",
        "TEMPORARY",
        "UNLOGGED",
        "FOREIGN",
        "EXTERNAL",
        "VIRTUAL",
        "MATERIALIZED",
        "RECURSIVE",
    ]);
    statement.view = reader.peek().is_some_and(|token| token.is("VIEW"));
    if reader.take(&["TABLE"]) || reader.take(&["VIEW"]) {
        reader.take(&["IF", "NOT", "EXISTS"]);
        let Some((table, span)) = reader.table() else { return };
        if !temporary {
            statement.uses.push(TableUse { verb: Verb::Create, table, span });
        }
        references(&reader.tokens[reader.at..], statement);
        rows(&reader.tokens[reader.at..], statement);
        return;
    }
    reader.take(&["UNIQUE"]);
    reader.take_any(&["CLUSTERED", "NONCLUSTERED", "FULLTEXT", "SPATIAL"]);
    if reader.take(&["INDEX"]) {
        changes::create_index(reader, statement);
    } else if reader.take(&["TRIGGER"]) || reader.take(&["CONSTRAINT", "TRIGGER"]) || reader.take(&["POLICY"]) {
        let on = reader.tokens.iter().position(|token| token.is("ON"));
        reader.at = on.map_or(reader.tokens.len(), |on| on + 1);
        statement.uses.extend(reader.table().map(|(table, span)| TableUse { verb: Verb::Alter, table, span }));
    }
}

fn alter(reader: &mut Reader<'_>, statement: &mut Statement) {
    if reader.take(&["ALTER", "TABLE"]) {
        changes::alter_table(reader, statement);
        references(&reader.tokens[reader.at..], statement);
    } else if reader.take(&["DROP", "INDEX"]) {
        changes::drop_index(reader, statement);
    } else if reader.take(&["DROP", "TABLE"]) || reader.take(&["DROP", "VIEW"]) || reader.take(&["DROP", "MATERIALIZED", "VIEW"])
    {
        let is_table = reader.tokens[1].is("TABLE");
        reader.take(&["IF", "EXISTS"]);
        while let Some((table, span)) = reader.table() {
            if is_table {
                statement.changes.push(Change { table: table.clone(), effect: changes::Effect::DropTable, span });
            }
            statement.uses.push(TableUse { verb: Verb::Drop, table, span });
            match reader.peek() {
                Some(token) if token.is_sign(',') => reader.at += 1,
                _ => break,
            }
        }
    } else if reader.take(&["RENAME", "TABLE"])
        && let Some((table, span)) = reader.table()
    {
        statement.changes.push(Change { table: table.clone(), effect: changes::Effect::RenameTable, span });
        statement.uses.push(TableUse { verb: Verb::Alter, table, span });
    }
}

/// `REFERENCES other (id)`.
fn references(tokens: &[Token<'_>], statement: &mut Statement) {
    for at in 0..tokens.len() {
        if tokens[at].is("REFERENCES") {
            let mut reader = Reader { tokens, at: at + 1 };
            statement.uses.extend(reader.table().map(|(table, span)| TableUse { verb: Verb::Reference, table, span }));
        }
    }
}

/// SELECT, INSERT, UPDATE, DELETE and what nests in them. Says whether it found any clause of SQL.
fn rows(tokens: &[Token<'_>], statement: &mut Statement) -> bool {
    let local = common_table_expressions(tokens);
    let mut found = false;
    // The word before each open parenthesis.
    let mut open: Vec<Option<&Token<'_>>> = Vec::new();
    let mut add = |verb, reader: &mut Reader<'_>, found: &mut bool| {
        let Some((table, span)) = reader.table() else {
            // A table whose name is put together at run time: SQL all the same.
            *found |= reader.peek().is_some_and(|token| token.is_sign('{') || token.is_sign('('));
            return;
        };
        *found = true;
        let is_function = verb == Verb::Read && reader.peek().is_some_and(|token| token.is_sign('('));
        let is_local = table.schema.is_none() && local.contains(&&*table.name);
        if !is_function && !is_local {
            statement.uses.push(TableUse { verb, table, span });
        }
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        let after_any = |words: &[&str]| before.is_some_and(|before| words.iter().any(|word| before.is(word)));
        let mut reader = Reader { tokens, at: at + 1 };
        at += 1;
        if token.is_sign('(') {
            open.push(before.filter(|before| before.kind == Kind::Word));
        } else if token.is_sign(')') {
            open.pop();
        } else if token.is("INTO") {
            // `SELECT … INTO variable` is of stored procedures, and makes a table elsewhere.
            let words = tokens[..at].iter().rev().skip(1).take(3);
            let writes = |token: &Token<'_>| ["INSERT", "REPLACE", "MERGE", "IGNORE"].iter().any(|word| token.is(word));
            if words.into_iter().any(writes) {
                add(Verb::Write, &mut reader, &mut found);
            }
        } else if token.is("UPDATE") && !after_any(&["FOR", "ON", "DO", "KEY", "OR", "AFTER", "BEFORE"]) {
            reader.take_any(&["ONLY", "IGNORE"]);
            reader.take(&["OR", "REPLACE"]);
            reader.take(&["OR", "IGNORE"]);
            // English says "update" too.
            if tokens[reader.at..].iter().take(8).any(|token| token.is("SET")) {
                add(Verb::Write, &mut reader, &mut found);
            }
        } else if token.is("FROM") && after_any(&["DELETE"]) {
            reader.take_any(&["ONLY"]);
            add(Verb::Write, &mut reader, &mut found);
        } else if token.is("TRUNCATE") && at == 1 {
            reader.take_any(&["TABLE", "ONLY"]);
            add(Verb::Write, &mut reader, &mut found);
        } else if token.is("COPY") && at == 1 {
            let from = tokens.iter().any(|token| token.is("FROM"));
            add(if from { Verb::Write } else { Verb::Read }, &mut reader, &mut found);
            break;
        } else if token.is("JOIN")
            || token.is("USING") && tokens.first().is_some_and(|first| first.is("DELETE") || first.is("MERGE"))
        {
            // `USING TIMESTAMP ?` and `USING TTL ?` of CQL name no table.
            let of_cql = |token: &Token<'_>| token.is("TIMESTAMP") || token.is("TTL");
            let joins = token.is("JOIN") || !reader.peek().is_some_and(|token| token.is_sign('(') || of_cql(token));
            if joins && !is_no_table(reader.peek()) {
                add(Verb::Read, &mut reader, &mut found);
            }
        } else if token.is("FROM") && !after_any(&["DISTINCT"]) && !in_from_function(&open) {
            reader.take_any(&["ONLY"]);
            from_list(&mut reader, |reader| add(Verb::Read, reader, &mut found));
        } else if token.is("SELECT")
            && tokens.len() > 1
            && tokens.iter().any(|token| token.kind == Kind::Number || token.is_sign('*'))
        {
            found = true;
        }
    }
    found
}

/// `FROM a, b AS c, d`.
fn from_list(reader: &mut Reader<'_>, mut add: impl FnMut(&mut Reader<'_>)) {
    loop {
        if is_no_table(reader.peek()) {
            return;
        }
        let before = reader.at;
        add(reader);
        if reader.at == before {
            return;
        }
        reader.take(&["AS"]);
        if reader.peek().is_some_and(|token| token.kind == Kind::Quoted || token.kind == Kind::Word && !is_keyword(token)) {
            reader.at += 1;
        }
        match reader.peek() {
            Some(token) if token.is_sign(',') => reader.at += 1,
            _ => return,
        }
    }
}

fn is_keyword(token: &Token<'_>) -> bool {
    const KEYWORDS: &[&str] = &[
        "WHERE",
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "FULL",
        "CROSS",
        "NATURAL",
        "ON",
        "USING",
        "GROUP",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "UNION",
        "HAVING",
        "FOR",
        "RETURNING",
        "SET",
        "WINDOW",
        "EXCEPT",
        "INTERSECT",
        "TABLESAMPLE",
        "FETCH",
    ];
    KEYWORDS.iter().any(|keyword| token.is(keyword))
}

fn is_no_table(token: Option<&Token<'_>>) -> bool {
    token.is_none_or(|token| NO_TABLE.iter().any(|word| token.is(word)))
}

fn in_from_function(open: &[Option<&Token<'_>>]) -> bool {
    open.last().copied().flatten().is_some_and(|function| FROM_FUNCTIONS.iter().any(|name| function.is(name)))
}

/// Names that `WITH name AS (…)` gives, in lower case.
fn common_table_expressions<'t>(tokens: &'t [Token<'t>]) -> Vec<&'t str> {
    if !tokens.iter().any(|token| token.is("WITH")) {
        return Vec::new();
    }
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is("AS") || at == 0 {
            continue;
        }
        let mut name = at - 1;
        // `name (a, b) AS (…)`
        if tokens[name].is_sign(')') {
            while name > 0 && !tokens[name].is_sign('(') {
                name -= 1;
            }
            name = name.saturating_sub(1);
        }
        let opens = tokens[at + 1..].iter().find(|token| !token.is("NOT") && !token.is("MATERIALIZED"));
        if opens.is_some_and(|token| token.is_sign('(')) && tokens[name].is_name() {
            names.push(tokens[name].text);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let uses = read(text).into_iter().flat_map(|statement| statement.uses);
        uses.map(|used| format!("{:?} {}", used.verb, used.table)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn tables() {
        for (text, expected) in [
            ("CREATE TABLE IF NOT EXISTS Orders (id int, user_id int REFERENCES users(id));", "Create orders, Reference users"),
            ("create table shop.orders as select * from raw", "Create shop.orders, Read raw"),
            ("CREATE TEMP TABLE x (id int)", ""),
            (
                "ALTER TABLE ONLY public.orders ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES \"Users\" (id)",
                "Alter orders, Reference users",
            ),
            ("CREATE UNIQUE INDEX CONCURRENTLY i ON orders (a)", "Alter orders"),
            ("DROP TABLE IF EXISTS a, b CASCADE; DROP INDEX i", "Drop a, Drop b"),
            (
                "SELECT a FROM orders o, items AS i LEFT JOIN users u ON u.id = o.id WHERE x IN (SELECT id FROM other)",
                "Read orders, Read items, Read users, Read other",
            ),
            ("INSERT INTO orders (a) VALUES ($1) ON CONFLICT DO UPDATE SET a = 1", "Write orders"),
            ("INSERT OR REPLACE INTO `orders` VALUES (?)", "Write orders"),
            ("UPDATE orders SET a = 1 FROM users WHERE x", "Write orders, Read users"),
            ("DELETE FROM orders USING users WHERE x", "Write orders, Read users"),
            ("DELETE FROM orders USING TIMESTAMP ? WHERE x", "Write orders"),
            (
                "WITH x AS (SELECT 1), y (a) AS MATERIALIZED (DELETE FROM b RETURNING a) SELECT * FROM x JOIN y USING (a)",
                "Write b",
            ),
            ("SELECT extract(epoch FROM created) FROM orders FOR UPDATE SKIP LOCKED", "Read orders"),
            ("SELECT 1 FROM generate_series(1, 2) g", ""),
            ("SELECT * FROM orders WHERE a IS DISTINCT FROM b", "Read orders"),
            ("SELECT * FROM orders_{} WHERE 1", ""),
            ("SELECT * FROM pg_stat_activity", ""),
            ("SELECT * FROM information_schema.tables", ""),
            ("TRUNCATE TABLE orders; COPY items FROM STDIN", "Write orders, Write items"),
            ("CREATE FUNCTION f() AS $$ INSERT INTO x VALUES (1); $$", ""),
            ("CREATE TRIGGER t AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f()", "Alter orders"),
            ("CREATE VIEW v AS SELECT * FROM orders", "Create v, Read orders"),
            // No SQL.
            ("Update the orders", ""),
            ("select a colour from the list of all", "Read the"),
            ("delete me", ""),
            ("", ""),
            (";;(", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}

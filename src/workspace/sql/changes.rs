//! What a migration changes of a table that is there already.

use super::statement::{Reader, Statement, TableUse, Verb};
use super::tokens::{Kind, Token};
use super::{Span, Table};

/// One clause that changes a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Empty where the statement does not name it: `DROP INDEX name`.
    pub table: Table,
    pub effect: Effect,
    /// Of the clause.
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    AddColumn {
        not_null: bool,
        /// A default or generated value of any kind.
        default: bool,
        /// The default calls a function other than the clock: each row gets its own.
        volatile: bool,
        /// `serial`, `bigserial`, identity: each row gets its own.
        serial: bool,
        /// `REFERENCES`, `UNIQUE`, `PRIMARY KEY`, `CHECK` in the column.
        constraint: Option<Constraint>,
    },
    DropColumn,
    RenameColumn,
    RenameTable,
    DropTable,
    ColumnType,
    SetNotNull,
    /// `VALIDATE CONSTRAINT`.
    Validate,
    AddConstraint {
        constraint: Constraint,
        not_valid: bool,
        using_index: bool,
    },
    CreateIndex {
        concurrently: bool,
    },
    DropIndex {
        concurrently: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    ForeignKey,
    Check,
    Unique,
    PrimaryKey,
    Exclude,
}

/// After `CREATE [UNIQUE] INDEX`.
pub fn create_index(reader: &mut Reader<'_>, statement: &mut Statement) {
    let span = statement.span;
    let concurrently = reader.take(&["CONCURRENTLY"]);
    let on = reader.tokens[reader.at..].iter().position(|token| token.is("ON"));
    reader.at = on.map_or(reader.tokens.len(), |on| reader.at + on + 1);
    reader.take(&["ONLY"]);
    let Some((table, at)) = reader.table() else { return };
    statement.changes.push(Change { table: table.clone(), effect: Effect::CreateIndex { concurrently }, span });
    statement.uses.push(TableUse { verb: Verb::Alter, table, span: at });
}

/// After `DROP INDEX`.
pub fn drop_index(reader: &mut Reader<'_>, statement: &mut Statement) {
    let concurrently = reader.take(&["CONCURRENTLY"]);
    let effect = Effect::DropIndex { concurrently };
    statement.changes.push(Change { table: Table::default(), effect, span: statement.span });
}

/// After `ALTER TABLE`; leaves the reader behind the table's name.
pub fn alter_table(reader: &mut Reader<'_>, statement: &mut Statement) {
    reader.take(&["IF", "EXISTS"]);
    reader.take(&["ONLY"]);
    let Some((table, at)) = reader.table() else { return };
    statement.uses.push(TableUse { verb: Verb::Alter, table: table.clone(), span: at });
    for clause in clauses(&reader.tokens[reader.at..]) {
        let (Some(first), Some(last)) = (clause.first(), clause.last()) else { continue };
        let span = Span { start: first.span.start, end: last.span.end };
        statement.changes.extend(effect(clause).map(|effect| Change { table: table.clone(), effect, span }));
    }
}

/// Parts between the commas that stand in no parentheses.
fn clauses<'t>(tokens: &'t [Token<'t>]) -> Vec<&'t [Token<'t>]> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0i32);
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_sign('(')) - i32::from(token.is_sign(')'));
        if depth == 0 && token.is_sign(',') {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

fn effect(clause: &[Token<'_>]) -> Option<Effect> {
    let mut reader = Reader { tokens: clause, at: 0 };
    let has =
        |words: &[&str]| clause.windows(words.len()).any(|window| window.iter().zip(words).all(|(token, word)| token.is(word)));
    if reader.take(&["ADD"]) {
        if let Some(constraint) = table_constraint(&mut reader) {
            return Some(Effect::AddConstraint {
                constraint,
                not_valid: has(&["NOT", "VALID"]),
                using_index: has(&["USING", "INDEX"]),
            });
        }
        let column = reader.take(&["COLUMN"]);
        reader.take(&["IF", "NOT", "EXISTS"]);
        const NO_COLUMN: &[&str] = &["INDEX", "KEY", "PARTITION", "VALUE", "FULLTEXT", "SPATIAL", "PERIOD", "GENERATED"];
        let named = reader.peek().is_some_and(Token::is_name);
        let other = !column && reader.peek().is_some_and(|token| NO_COLUMN.iter().any(|word| token.is(word)));
        return (named && !other).then(|| add_column(&clause[reader.at + 1..]));
    }
    if reader.take(&["DROP"]) {
        const NO_COLUMN: &[&str] = &["CONSTRAINT", "INDEX", "KEY", "FOREIGN", "PRIMARY", "PARTITION", "CHECK", "EXPRESSION"];
        let column = reader.take(&["COLUMN"]);
        let other = reader.peek().is_none_or(|token| NO_COLUMN.iter().any(|word| token.is(word)));
        return (column || !other).then_some(Effect::DropColumn);
    }
    if reader.take(&["RENAME"]) {
        let table = reader.take(&["TO"]) || reader.take(&["AS"]);
        let other = ["CONSTRAINT", "INDEX", "KEY"].iter().any(|word| reader.take(&[word]));
        return (!other).then_some(if table { Effect::RenameTable } else { Effect::RenameColumn });
    }
    if reader.take(&["VALIDATE", "CONSTRAINT"]) {
        return Some(Effect::Validate);
    }
    if reader.take(&["ALTER"]) {
        let constraint = ["CONSTRAINT", "INDEX"].iter().any(|word| reader.take(&[word]));
        return match () {
            () if constraint => None,
            () if has(&["SET", "NOT", "NULL"]) => Some(Effect::SetNotNull),
            () if has(&["TYPE"]) && !has(&["STATISTICS"]) => Some(Effect::ColumnType),
            () => None,
        };
    }
    None
}

/// `CONSTRAINT name FOREIGN KEY …`, `UNIQUE (…)`.
fn table_constraint(reader: &mut Reader<'_>) -> Option<Constraint> {
    let start = reader.at;
    if reader.take(&["CONSTRAINT"]) {
        reader.take(&["IF", "NOT", "EXISTS"]);
        reader.at += 1;
    }
    const KINDS: &[(&[&str], Constraint)] = &[
        (&["FOREIGN", "KEY"], Constraint::ForeignKey),
        (&["CHECK"], Constraint::Check),
        (&["UNIQUE"], Constraint::Unique),
        (&["PRIMARY", "KEY"], Constraint::PrimaryKey),
        (&["EXCLUDE"], Constraint::Exclude),
    ];
    let found = KINDS.iter().find(|(words, _)| reader.take(words)).map(|(_, kind)| *kind);
    if found.is_none() {
        reader.at = start;
    }
    found
}

/// Type and constraints of a new column.
fn add_column(definition: &[Token<'_>]) -> Effect {
    let has = |words: &[&str]| {
        definition.windows(words.len()).any(|window| window.iter().zip(words).all(|(token, word)| token.is(word)))
    };
    let constraint = [
        (&["REFERENCES"][..], Constraint::ForeignKey),
        (&["UNIQUE"], Constraint::Unique),
        (&["PRIMARY", "KEY"], Constraint::PrimaryKey),
        (&["CHECK"], Constraint::Check),
    ];
    let default = definition.iter().position(|token| token.is("DEFAULT"));
    const SERIAL: &[&str] = &["SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2", "AUTO_INCREMENT"];
    Effect::AddColumn {
        not_null: has(&["NOT", "NULL"]),
        default: default.is_some() || has(&["GENERATED"]),
        volatile: default.is_some_and(|at| is_volatile(&definition[at + 1..])),
        serial: SERIAL.iter().any(|name| has(&[name])) || has(&["AS", "IDENTITY"]),
        constraint: constraint.iter().find(|(words, _)| has(words)).map(|(_, kind)| *kind),
    }
}

/// A call of a function that gives each row a value of its own. Those of the clock are stable.
fn is_volatile(default: &[Token<'_>]) -> bool {
    const VOLATILE: &[&str] = &[
        "gen_random_uuid",
        "uuid_generate_v1",
        "uuid_generate_v1mc",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
        "random",
        "nextval",
        "clock_timestamp",
        "timeofday",
        "gen_random_bytes",
    ];
    default.windows(2).any(|pair| {
        pair[0].kind == Kind::Word && pair[1].is_sign('(') && VOLATILE.contains(&pair[0].text.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;

    fn shown(text: &str) -> Vec<String> {
        let changes = read(text).into_iter().flat_map(|statement| statement.changes);
        changes.map(|change| format!("{} {:?}", change.table, change.effect)).collect()
    }

    #[test]
    fn of_tables() {
        for (text, expected) in [
            ("ALTER TABLE a RENAME b TO c", &["a RenameColumn"][..]),
            ("ALTER TABLE a RENAME TO c; RENAME TABLE x TO y", &["a RenameTable", "x RenameTable"]),
            ("ALTER TABLE a ALTER COLUMN b TYPE text, ALTER c SET NOT NULL", &["a ColumnType", "a SetNotNull"]),
            ("ALTER TABLE a ALTER b SET DEFAULT 1, DROP CONSTRAINT c", &[]),
            ("ALTER TABLE a DROP COLUMN b, DROP c; DROP TABLE d", &["a DropColumn", "a DropColumn", "d DropTable"]),
            (
                "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (d) NOT VALID",
                &["a AddConstraint { constraint: ForeignKey, not_valid: true, using_index: false }"],
            ),
            (
                "ALTER TABLE a ADD UNIQUE (b, c)",
                &["a AddConstraint { constraint: Unique, not_valid: false, using_index: false }"],
            ),
            (
                "ALTER TABLE a ADD COLUMN IF NOT EXISTS b numeric(1, 2) NOT NULL DEFAULT random(), ADD c serial",
                &[
                    "a AddColumn { not_null: true, default: true, volatile: true, serial: false, constraint: None }",
                    "a AddColumn { not_null: false, default: false, volatile: false, serial: true, constraint: None }",
                ],
            ),
            (
                "ALTER TABLE a ADD b int REFERENCES c(id)",
                &[
                    "a AddColumn { not_null: false, default: false, volatile: false, serial: false, constraint: Some(ForeignKey) }",
                ],
            ),
            (
                "CREATE INDEX i ON a (b); DROP INDEX CONCURRENTLY i",
                &["a CreateIndex { concurrently: false }", " DropIndex { concurrently: true }"],
            ),
            ("ALTER TABLE a VALIDATE CONSTRAINT c", &["a Validate"]),
            ("ALTER TYPE t ADD VALUE 'x'; ALTER TABLE", &[]),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}

use super::assembled::assembled;
use super::origin::{self, Origin};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::sql;

crate::declare_rule! {
    /// A text from outside is put into an SQL statement.
    ///
    /// ## Why is this bad?
    /// What is formatted into a statement is part of the statement: whoever chooses the text chooses what the database does, and reads,
    /// changes or drops what the service may.
    ///
    /// ## Example
    /// ```rust
    /// sqlx::query(&format!("SELECT * FROM orders WHERE customer = '{customer}'")).fetch_all(&pool).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// sqlx::query("SELECT * FROM orders WHERE customer = $1").bind(customer).fetch_all(&pool).await?;
    /// ```
    /// What cannot be bound, such as a column to sort by, is chosen in the code: `match sort { Sort::Price => "price", … }`.
    ///
    /// ## Not reported when
    /// - what is put in is a literal, a constant, a number, a UUID or a date, also through names, branches, nested `format!` and
    ///   every caller of the function;
    /// - where it comes from could not be followed;
    /// - it stands for a name or a fragment (a table, a list of columns, a condition) and no request is known to bring it in;
    /// - it is the number of a placeholder: `${n}`, `:p{n}`;
    /// - the text that it is put into does not begin as a statement: `format!`, `+`, `+=`, `push_str` and `write!` are looked at;
    /// - the statement does not go to a database, or defines something (`CREATE`, `ALTER`, `SET`), which takes no parameters;
    /// - no service runs it.
    ///
    /// ## Source
    /// [OWASP: SQL Injection Prevention](https://cheatsheetseries.owasp.org/cheatsheets/SQL_Injection_Prevention_Cheat_Sheet.html),
    /// [CWE-89](https://cwe.mitre.org/data/definitions/89.html); sqlx 0.9 `sql_str.rs` takes a dynamic statement only as
    /// `AssertSqlSafe`.
    "sql-from-format", "MSVC705", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// What takes a statement beside [`sql::CALLS`]: sqlx's wrapper for texts that are not literals, clickhouse, mysql_async.
const MORE: &[&str] = &["AssertSqlSafe", "fetch", "prep"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for (whole, parts) in workspace.texts(is_statement).map(assembled) {
        let worst = parts.iter().find_map(|part| {
            let place = place(&part.before)?;
            match (origin::of_value(part.value, part.template), place) {
                (Origin::Text(Some(from)), _) => Some((Some(from), part)),
                (Origin::Text(None), Place::Value) => Some((None, part)),
                _ => None,
            }
        });
        let Some((from, part)) = worst.filter(|_| reaches_database(whole)) else { continue };
        let Some(service) = workspace.run_by(part.at) else { continue };
        let name = part.value.variable(part.template).map_or("a text".to_owned(), |name| format!("`{name}`"));
        let mut diagnostic =
            Diagnostic::new(format!("{name} is put into an SQL statement"), part.at.at(), "built from a text that is not bound")
                .help("write a placeholder, and bind the value to it; choose what cannot be bound from literals in the code")
                .evidence("literals, constants, numbers, UUIDs and dates, through names, branches and callers")
                .service(&service.name);
        diagnostic = match from {
            Some(from) => diagnostic.related(from, "a request brings it in here"),
            None => diagnostic.confidence(Confidence::Medium),
        };
        out.push(diagnostic);
    }
}

/// Data is read or written, as against defined.
fn is_statement(template: &str) -> bool {
    let mut words = template.split_whitespace().map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    let upper = || template.to_ascii_uppercase();
    match first.as_str() {
        "SELECT" => true,
        "INSERT" | "REPLACE" => upper().contains(" INTO ") || upper().contains("INTO\n"),
        "DELETE" => words.next().as_deref() == Some("FROM"),
        "UPDATE" => upper().split_whitespace().any(|word| word == "SET"),
        "WITH" => upper().contains("SELECT"),
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a placeholder could stand.
    Value,
    /// A name or a fragment.
    Name,
}

/// Where a hole stands, by the text in front of it; `None` for the number of a placeholder.
fn place(before: &str) -> Option<Place> {
    if before.ends_with(['$', ':', '@', '?']) || before.ends_with(":p") || before.ends_with("@p") {
        return None;
    }
    let text = before.trim_end().trim_end_matches('%');
    let upper = text.to_ascii_uppercase();
    let word = upper.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let in_list = || {
        let open = upper.rfind('(');
        let listed = text.ends_with('(') || text.ends_with(',');
        listed
            && open.is_some_and(|open| upper[..open].trim_end().ends_with("VALUES") || upper[..open].trim_end().ends_with(" IN"))
    };
    let is_value = text.ends_with(['\'', '=', '<', '>'])
        || text.len() == before.trim_end().len() && matches!(word, "LIKE" | "ILIKE" | "LIMIT" | "OFFSET" | "BETWEEN" | "VALUES")
        || in_list();
    Some(if is_value { Place::Value } else { Place::Name })
}

/// Whether the statement is handed to what runs it.
fn reaches_database(call: Node<'_>) -> bool {
    let is_sink = |node: Node<'_>| {
        matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. })
            && node.last_name().is_some_and(|name| sql::CALLS.contains(&name) || MORE.contains(&name))
    };
    let around = call.ancestors().take_while(|node| !matches!(node.kind(), ExprKind::Block(_) | ExprKind::Closure { .. }));
    around.into_iter().any(is_sink) || call.fate(&|_| true).given.into_iter().any(is_sink)
}

//! Tables that Rust code names.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::camino::Utf8Path;

use super::Use;
use crate::workspace::manifest::join;
use crate::workspace::names::{Definition, ModuleIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{Attribute, ExprKind, Name, RustFile, Segments};
use crate::workspace::sql::{self, Query, Table, Verb};
use crate::workspace::{Location, Workspace};

/// Calls and macros beside [`sql::CALLS`] whose text says which table they use.
const MORE: &[&str] = &[
    "query_scalar_with",
    "query_unchecked",
    "query_as_unchecked",
    "query_scalar_unchecked",
    "query_typed",
    "exec_iter",
    "exec_map",
    "exec_batch",
    "prepare_typed",
    "copy_in",
    "copy_in_raw",
    "copy_out",
    "QueryBuilder",
];

/// Macros of sqlx that name a file, from the folder of the package.
const QUERY_FILES: &[&str] =
    &["query_file", "query_file_as", "query_file_scalar", "query_file_unchecked", "query_file_as_unchecked"];

/// One statement of code, and one table that it uses.
pub struct Statement<'w> {
    pub node: Node<'w>,
    pub table: Table,
    pub verb: Verb,
    /// Where an entity, a schema or a constant says what the table is, for statements that are built from one.
    pub declared: Option<Location>,
}

pub fn uses(workspace: &Workspace) -> Vec<Use> {
    let mut found = Vec::new();
    for Statement { node, table, verb, .. } in statements(workspace) {
        let running = workspace.services.iter().filter(|service| workspace.runs(service, node));
        let packages: BTreeSet<usize> = running.map(|service| service.package).collect();
        found.extend(packages.into_iter().map(|package| Use {
            package,
            table: table.clone(),
            verb,
            migration: false,
            at: node.at(),
        }));
    }
    found
}

/// All statements of code that ships.
pub fn statements(workspace: &Workspace) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    for node in sql::CALLS.iter().chain(MORE).flat_map(|name| workspace.named(name)) {
        for (text, declared) in node.arguments().take(4).filter_map(text) {
            for used in sql::read(&text).into_iter().flat_map(|statement| statement.uses) {
                found.push(Statement { node, table: used.table, verb: used.verb, declared });
            }
        }
        let files = node.arguments().take(4).filter_map(|argument| included(argument.peel()));
        for used in files.flat_map(|query| &query.statements).flat_map(|statement| &statement.uses) {
            found.push(Statement { node, table: used.table.clone(), verb: used.verb, declared: None });
        }
    }
    for node in QUERY_FILES.iter().flat_map(|name| workspace.macros(name)) {
        let folder = node.packages().next().map(|package| package.directory.as_path());
        let path = node.arguments().find_map(Node::text);
        let query = folder.zip(path).and_then(|(folder, path)| query_at(workspace, folder, path));
        for used in query.into_iter().flat_map(|query| &query.statements).flat_map(|statement| &statement.uses) {
            found.push(Statement { node, table: used.table.clone(), verb: used.verb, declared: None });
        }
    }
    diesel(workspace, &mut found);
    sea_orm(workspace, &mut found);
    found
}

/// `include_str!("../queries/orders.sql")`, from the file that says so; also by a name.
fn included(argument: Node<'_>) -> Option<&Query> {
    let value = argument.binding().or_else(|| argument.constant()).unwrap_or(argument).peel();
    let is_it = matches!(value.kind(), ExprKind::Macro { .. }) && value.last_name() == Some("include_str");
    let folder = value.workspace.sources.path(value.facts().file).parent()?;
    query_at(value.workspace, folder, value.arguments().next().filter(|_| is_it)?.text()?)
}

fn query_at<'w>(workspace: &'w Workspace, folder: &Utf8Path, path: &str) -> Option<&'w Query> {
    let file = workspace.sources.find(&join(folder, path)?)?;
    workspace.queries.iter().find(|query| query.file == file)
}

/// The text of an argument: a literal, the pattern of a `format!`, a local name, a constant; and where that constant stands.
fn text(argument: Node<'_>) -> Option<(String, Option<Location>)> {
    let mut node = argument.peel();
    let mut declared = None;
    for _ in 0..4 {
        match node.kind() {
            ExprKind::Macro { path, .. } => {
                let name = path.last()?;
                let text = match &**name {
                    "format" | "formatcp" => node.arguments().next()?.text()?.to_owned(),
                    "concat" | "concatcp" => node.arguments().map(|part| part.text().unwrap_or("{}")).collect(),
                    _ => return None,
                };
                return Some((text, declared));
            }
            ExprKind::Path(_) => {
                node = match node.binding() {
                    Some(value) => value.peel(),
                    None => {
                        let value = node.constant()?;
                        declared = Some(value.at());
                        value.peel()
                    }
                };
            }
            // `AssertSqlSafe(text)`
            ExprKind::Call { arguments, .. } if arguments.len() == 1 => node = node.with(arguments[0]).peel(),
            _ => return Some((node.text()?.to_owned(), declared)),
        }
    }
    None
}

/// What runs a query of diesel or diesel-async and gives rows back.
const DIESEL_READS: &[&str] = &["load", "load_iter", "load_stream", "first", "get_result", "get_results"];

/// `diesel::insert_into(orders::table)`, `orders::table.filter(…).load(connection)`, `orders.find(id).first(connection)`.
fn diesel<'w>(workspace: &'w Workspace, found: &mut Vec<Statement<'w>>) {
    let mut declared: HashMap<&str, (Table, Location)> = HashMap::new();
    for node in workspace.named("table") {
        let Some(ExprKind::Path(path)) = node.arguments().next().map(Node::kind) else { continue };
        if let (ExprKind::Macro { .. }, Some((name, before))) = (node.kind(), path.split_last()) {
            declared.insert(name, (Table::new(before.last().map(|schema| &**schema), name), node.at()));
        }
    }
    if declared.is_empty() {
        return;
    }
    let of = |node: Node<'_>| -> Option<&(Table, Location)> {
        let is_dsl = |name: &Name| matches!(&**name, "table" | "dsl");
        let name = node.path()?.iter().rev().find(|name| !is_dsl(name))?;
        declared.get(&**name)
    };
    for call in ["insert_into", "insert_or_ignore_into", "replace_into", "update", "delete"]
        .into_iter()
        .flat_map(|name| workspace.named(name))
    {
        let from_diesel = call.external().is_some_and(|path| path.starts_with("diesel::") || path.starts_with("diesel_async::"));
        let target = call.arguments().next().and_then(|argument| argument.descendants().find_map(of));
        if let (true, Some((table, at))) = (from_diesel, target) {
            found.push(Statement { node: call, table: table.clone(), verb: Verb::Write, declared: Some(*at) });
        }
    }
    let names_table = |path: &Segments| path.last().is_some_and(|name| &**name == "table" || declared.contains_key(&**name));
    let runs = |name: &'static str| workspace.named_if(name, |_, outline| outline.paths.iter().any(names_table));
    for call in DIESEL_READS.iter().flat_map(|name| runs(name)).filter(|call| call.method().is_some()) {
        let chain = |end: Node<'w>| end.receivers().last().map(|first| (first, first.peel().binding()));
        let mut parts: Vec<Node<'w>> = call.receivers().collect();
        // `let query = orders::table.filter(…); query.load(connection)`
        if let Some((_, Some(bound))) = chain(call) {
            parts.extend(bound.peel().receivers());
        }
        let roots = parts.iter().filter(|part| matches!(part.kind(), ExprKind::Path(_)) && part.binding().is_none()).copied();
        let joined = parts
            .iter()
            .filter(|part| part.method().is_some_and(|name| name.ends_with("join")))
            .flat_map(|join| join.arguments());
        for (table, at) in roots.chain(joined.flat_map(Node::descendants)).filter_map(of) {
            found.push(Statement { node: call, table: table.clone(), verb: Verb::Read, declared: Some(*at) });
        }
    }
}

/// `orders::Entity::insert(…)`, `orders::ActiveModel { … }`, `orders::Entity::find()`.
fn sea_orm<'w>(workspace: &'w Workspace, found: &mut Vec<Statement<'w>>) {
    let mut entities: HashMap<ModuleIndex, (Table, Location)> = HashMap::new();
    for (file, facts) in workspace.rust.iter().enumerate() {
        for item in facts.types.iter().filter(|item| !item.test) {
            let Some(table) = table_of(facts, &item.attributes) else { continue };
            let modules = workspace.names.modules_of(file, item.module).iter();
            let at = facts.location(item.span);
            entities.extend(modules.map(|module| (*module, (table.clone(), at))));
        }
    }
    if entities.is_empty() {
        return;
    }
    let of = |node: Node<'w>, path: &[Name], verb: Verb| -> Option<Statement<'w>> {
        let Definition::Module(module) = node.resolve(path) else { return None };
        let (table, at) = entities.get(&module)?;
        Some(Statement { node, table: table.clone(), verb, declared: Some(*at) })
    };
    let verbs: &[(&str, Verb)] = &[
        ("insert", Verb::Write),
        ("insert_many", Verb::Write),
        ("update", Verb::Write),
        ("update_many", Verb::Write),
        ("delete", Verb::Write),
        ("delete_many", Verb::Write),
        ("delete_by_id", Verb::Write),
        ("find", Verb::Read),
        ("find_by_id", Verb::Read),
    ];
    for (name, verb) in verbs {
        let of_entity = |path: &Segments| matches!(&**path, [.., entity, verb] if &**entity == "Entity" && &**verb == *name);
        for call in workspace.named_if(name, |_, outline| outline.paths.iter().any(of_entity)) {
            if let Some([module @ .., entity, _]) = call.path()
                && &**entity == "Entity"
            {
                found.extend(of(call, module, *verb));
            }
        }
    }
    for literal in workspace.named("ActiveModel") {
        if let Some([module @ .., _]) = literal.path() {
            found.extend(of(literal, module, Verb::Write));
        }
    }
}

/// `#[sea_orm(table_name = "orders", schema_name = "shop")]`.
fn table_of(facts: &RustFile, attributes: &[Attribute]) -> Option<Table> {
    let attribute = attributes.iter().find(|attribute| attribute.path.last().is_some_and(|name| &**name == "sea_orm"))?;
    let get = |key: &str| {
        attribute.arguments.iter().find_map(|id| match &facts.expr(*id).kind {
            ExprKind::Assign { left, right } => match (&facts.expr(*left).kind, &facts.expr(*right).kind) {
                (ExprKind::Path(path), ExprKind::Literal(crate::workspace::rust::Literal::Str(text)))
                    if path.last().is_some_and(|name| &**name == key) =>
                {
                    Some(&**text)
                }
                _ => None,
            },
            _ => None,
        })
    };
    Some(Table::new(get("schema_name"), get("table_name")?))
}

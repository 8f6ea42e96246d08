//! Tables that Rust code names.

use std::collections::{BTreeSet, HashMap};

use super::Use;
use crate::workspace::Workspace;
use crate::workspace::names::{Definition, ModuleIndex};
use crate::workspace::query::Node;
use crate::workspace::rust::{Attribute, ExprKind, Name, RustFile, Segments};
use crate::workspace::sql::{self, Table, Verb};

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

pub fn uses(workspace: &Workspace) -> Vec<Use> {
    let mut found = Vec::new();
    let mut add = |node: Node<'_>, table: &Table, verb: Verb| {
        let running = workspace.services.iter().filter(|service| workspace.runs(service, node));
        let packages: BTreeSet<usize> = running.map(|service| service.package).collect();
        found.extend(packages.into_iter().map(|package| Use {
            package,
            table: table.clone(),
            verb,
            migration: false,
            at: node.at(),
        }));
    };
    for call in sql::CALLS.iter().chain(MORE).flat_map(|name| workspace.named(name)) {
        for text in call.arguments().take(4).filter_map(text) {
            for used in sql::read(&text).into_iter().flat_map(|statement| statement.uses) {
                add(call, &used.table, used.verb);
            }
        }
    }
    diesel(workspace, &mut add);
    sea_orm(workspace, &mut add);
    found
}

/// The text of an argument: a literal, the pattern of a `format!`, a constant, a local name.
fn text(argument: Node<'_>) -> Option<String> {
    let mut node = argument.peel();
    for _ in 0..4 {
        match node.kind() {
            ExprKind::Macro { path, .. } => {
                let name = path.last()?;
                return match &**name {
                    "format" | "formatcp" => node.arguments().next()?.text().map(str::to_owned),
                    "concat" | "concatcp" => {
                        Some(node.arguments().map(|part| part.text().unwrap_or("{}")).collect::<Vec<_>>().concat())
                    }
                    _ => None,
                };
            }
            ExprKind::Path(path) => {
                node = node.binding().or_else(|| constant(node.workspace, path.last()?))?.peel();
            }
            // `AssertSqlSafe(text)`
            ExprKind::Call { arguments, .. } if arguments.len() == 1 => node = node.with(arguments[0]).peel(),
            _ => return node.text().map(str::to_owned),
        }
    }
    None
}

/// The value of the only constant of a name.
fn constant<'w>(workspace: &'w Workspace, name: &Name) -> Option<Node<'w>> {
    match workspace.graph.constants_named(name) {
        [(file, index)] => Some(Node { workspace, file: *file, id: workspace.rust[*file].constants[*index].value? }),
        _ => None,
    }
}

/// `diesel::insert_into(orders::table)`, and reads that name `orders::table`.
fn diesel(workspace: &Workspace, add: &mut impl FnMut(Node<'_>, &Table, Verb)) {
    let mut declared: HashMap<&str, Table> = HashMap::new();
    for node in workspace.named("table") {
        let Some(ExprKind::Path(path)) = node.arguments().next().map(Node::kind) else { continue };
        if let (ExprKind::Macro { .. }, Some((name, before))) = (node.kind(), path.split_last()) {
            declared.insert(name, Table::new(before.last().map(|schema| &**schema), name));
        }
    }
    if declared.is_empty() {
        return;
    }
    let of = |node: Node<'_>| -> Option<&Table> {
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
        if let (true, Some(table)) = (from_diesel, target) {
            add(call, table, Verb::Write);
        }
    }
}

/// `orders::Entity::insert(…)`, `orders::ActiveModel { … }`, `orders::Entity::find()`.
fn sea_orm(workspace: &Workspace, add: &mut impl FnMut(Node<'_>, &Table, Verb)) {
    let mut entities: HashMap<ModuleIndex, Table> = HashMap::new();
    for (file, facts) in workspace.rust.iter().enumerate() {
        for item in facts.types.iter().filter(|item| !item.test) {
            let Some(table) = table_of(facts, &item.attributes) else { continue };
            let modules = workspace.names.modules_of(file, item.module).iter();
            entities.extend(modules.map(|module| (*module, table.clone())));
        }
    }
    if entities.is_empty() {
        return;
    }
    let of = |node: Node<'_>, path: &[Name]| -> Option<&Table> {
        let Definition::Module(module) = node.resolve(path) else { return None };
        entities.get(&module)
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
                && let Some(table) = of(call, module)
            {
                add(call, table, *verb);
            }
        }
    }
    for literal in workspace.named("ActiveModel") {
        if let Some([module @ .., _]) = literal.path()
            && let Some(table) = of(literal, module)
        {
            add(literal, table, Verb::Write);
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

use super::ownership::{owner, service};
use super::stores::{Relation, relation, uses};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::sql::Verb;
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// A migration changes a table that another service owns.
    ///
    /// ## Why is this bad?
    /// The owner's code runs against a schema that its own history does not describe: its next migration, a restore or a fresh
    /// database gives another table than production has, and the two deployments must happen in one order that nothing keeps.
    ///
    /// ## Example
    /// ```sql
    /// -- services/billing/migrations/0002_paid.sql; services/orders creates `orders`
    /// ALTER TABLE orders ADD COLUMN paid BOOLEAN;
    /// ```
    ///
    /// ## Use instead
    /// ```sql
    /// -- services/billing/migrations/0002_paid.sql
    /// CREATE TABLE paid_orders (order_id BIGINT PRIMARY KEY);
    /// ```
    /// What the owner's table should hold, the owner's migrations add.
    ///
    /// ## Not reported when
    /// - the service's own migrations create the table, and nothing says that both use one database;
    /// - it is not known which service's migrations create the table, or more than one history does;
    /// - the migrations belong to no service, or to several;
    /// - files state that the two services use different databases;
    /// - the migration is a `down` one.
    ///
    /// ## Source
    /// "Shared persistence", MARS (Tighilt et al., Journal of Systems and Software 2023).
    "foreign-migration", "MSVC505", Practice::DataOwnership, Level::Deny, Tier::Auditor, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    if workspace.migrations.is_empty() || workspace.services.len() < 2 {
        return;
    }
    let databases = uses(workspace);
    let tables = workspace.tables();
    for set in &tables.sets {
        let [package] = set.owners[..] else { continue };
        let Some(of) = service(workspace, package) else { continue };
        for migration in set.migrations.iter().map(|index| &workspace.migrations[*index]).filter(|migration| !migration.down) {
            for used in migration.statements.iter().flat_map(|statement| &statement.uses) {
                let at = Location::new(migration.file, used.span);
                let found = match used.verb {
                    Verb::Alter | Verb::Drop | Verb::Write if set.creates(workspace, &used.table).is_none() => {
                        let owner = owner(workspace, &used.table).filter(|(_, _, certainty)| *certainty == Confidence::High);
                        owner.map(|(other, created, _)| (other, created, relation(workspace, &databases, package, other)))
                    }
                    // Both create it, in one database.
                    Verb::Create => tables.creators(workspace, &used.table).find_map(|other| {
                        let [owner] = other.owners[..] else { return None };
                        let same = owner < package && relation(workspace, &databases, package, owner) == Relation::Same;
                        Some((owner, other.creates(workspace, &used.table)?, Relation::Same)).filter(|_| same)
                    }),
                    _ => None,
                };
                let Some((other, created, relation)) = found.filter(|(other, ..)| *other != package) else { continue };
                let (Some(other), false) = (service(workspace, other), relation == Relation::Different) else { continue };
                let what = match used.verb {
                    Verb::Create => "creates",
                    Verb::Drop => "drops",
                    Verb::Write => "fills",
                    _ => "changes",
                };
                let diagnostic = Diagnostic::new(
                    format!("a migration of `{}` {what} `{}`, a table of `{}`", of.name, used.table, other.name),
                    at,
                    format!("`{}` owns it", other.name),
                )
                .related(created, format!("`{}` creates it here", other.name))
                .help(format!("move the change to the migrations of `{}`, or give `{}` a table of its own", other.name, of.name))
                .evidence("a table of that name among the service's own, another history that creates it, databases that differ")
                .confidence(if relation == Relation::Same { Confidence::High } else { Confidence::Medium })
                .service(&of.name);
                out.push(diagnostic);
            }
        }
    }
}

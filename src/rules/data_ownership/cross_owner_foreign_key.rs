use super::ownership::{owner, service};
use super::stores::{Relation, relation, uses};
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::sql::{Table, Verb};
use crate::workspace::{Location, Workspace};

crate::declare_rule! {
    /// A foreign key points at a table that another service owns.
    ///
    /// ## Why is this bad?
    /// The two services can never have databases of their own, and each feels the other's writes: a delete in one fails or
    /// cascades into the other, both wait for the same locks, and a restore of one alone is refused.
    ///
    /// ## Example
    /// ```sql
    /// -- services/billing/migrations/0001_invoices.sql
    /// CREATE TABLE invoices (id BIGINT PRIMARY KEY, order_id BIGINT REFERENCES orders (id));
    /// ```
    ///
    /// ## Use instead
    /// ```sql
    /// -- The id of an order of the service `orders`: it is checked there.
    /// CREATE TABLE invoices (id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL);
    /// ```
    ///
    /// ## Not reported when
    /// - the service's own migrations create the table, too: it means that one;
    /// - who owns either table is not known: a table is owned by the service whose migrations alone create it, or, in a history
    ///   that is nobody's, by the only service whose code writes it;
    /// - files state that the two services use different databases;
    /// - the migration is a `down` one.
    ///
    /// ## Source
    /// "Shared persistence", MARS (Tighilt et al., Journal of Systems and Software 2023).
    "cross-owner-foreign-key", "MSVC504", Practice::DataOwnership, Level::Deny, Tier::Auditor, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    if workspace.migrations.is_empty() || workspace.services.len() < 2 {
        return;
    }
    let databases = uses(workspace);
    for set in &workspace.tables().sets {
        for migration in set.migrations.iter().map(|index| &workspace.migrations[*index]).filter(|migration| !migration.down) {
            for statement in &migration.statements {
                let Some(holder) = statement.uses.iter().find(|used| matches!(used.verb, Verb::Create | Verb::Alter)) else {
                    continue;
                };
                // Whose the table with the key is: its history's, else its writer's.
                let (of, certainty) = match set.owners[..] {
                    [package] => (package, Confidence::High),
                    [] => match owner(workspace, &holder.table) {
                        Some((package, _, certainty)) => (package, certainty),
                        None => continue,
                    },
                    _ => continue,
                };
                for key in statement.uses.iter().filter(|used| used.verb == Verb::Reference) {
                    let own = !set.owners.is_empty() && set.creates(workspace, &key.table).is_some();
                    let Some((other, created, confidence)) =
                        owner(workspace, &key.table).filter(|(other, ..)| *other != of && !own)
                    else {
                        continue;
                    };
                    if relation(workspace, &databases, of, other) != Relation::Different {
                        let at = Location::new(migration.file, key.span);
                        out.extend(finding(
                            workspace,
                            (of, &holder.table),
                            (other, &key.table),
                            at,
                            created,
                            certainty.min(confidence),
                        ));
                    }
                }
            }
        }
    }
}

fn finding(
    workspace: &Workspace,
    (of, table): (usize, &Table),
    (other, target): (usize, &Table),
    at: Location,
    created: Location,
    confidence: Confidence,
) -> Option<Diagnostic> {
    let (of, other) = (service(workspace, of)?, service(workspace, other)?);
    let diagnostic = Diagnostic::new(
        format!("a foreign key ties `{table}` of `{}` to `{target}` of `{}`", of.name, other.name),
        at,
        format!("a table of `{}`", other.name),
    )
    .related(created, format!("`{target}` is created here"))
    .help(format!("keep the id without the key, and let `{}` check it", other.name))
    .evidence("a table of that name among the service's own, databases that differ")
    .confidence(confidence)
    .service(&of.name);
    Some(diagnostic)
}

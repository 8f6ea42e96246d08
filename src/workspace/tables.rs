//! Which service makes, changes, writes and reads which table: query strings, diesel, SeaORM, migrations.

mod code;
mod sets;

pub use code::{Statement, statements};

use cargo_metadata::camino::Utf8PathBuf;

use super::sql::{Table, Verb};
use super::{Location, Workspace};

/// All uses of tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// By package, table and verb, each where it is first seen.
    pub uses: Vec<Use>,
    /// Histories of migrations, by folder.
    pub sets: Vec<Set>,
}

/// One package does one thing with one table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Of the service, an index into [`Workspace::packages`].
    pub package: usize,
    pub table: Table,
    pub verb: Verb,
    /// It stands in a migration, not in the code.
    pub migration: bool,
    pub at: Location,
}

/// One history of migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The folder, or the folder of one service below it.
    pub folder: Utf8PathBuf,
    /// Packages of the services whose tables they make; none where that is not known.
    pub owners: Vec<usize>,
    /// Indexes into [`Workspace::migrations`], in the order of their names.
    pub migrations: Vec<usize>,
}

impl Tables {
    fn of(workspace: &Workspace) -> Self {
        let sets = sets::sets(workspace);
        let mut uses = code::uses(workspace);
        for set in &sets {
            let migrations = set.migrations.iter().map(|index| &workspace.migrations[*index]);
            for migration in migrations.filter(|migration| !migration.down) {
                for used in migration.statements.iter().flat_map(|statement| &statement.uses) {
                    uses.extend(set.owners.iter().map(|&package| Use {
                        package,
                        table: used.table.clone(),
                        verb: used.verb,
                        migration: true,
                        at: Location::new(migration.file, used.span),
                    }));
                }
            }
        }
        uses.sort();
        uses.dedup_by(|later, first| {
            (later.package, &later.table, later.verb, later.migration)
                == (first.package, &first.table, first.verb, first.migration)
        });
        Self { uses, sets }
    }

    /// The histories that create a table.
    pub fn creators<'t>(&'t self, workspace: &'t Workspace, table: &'t Table) -> impl Iterator<Item = &'t Set> {
        self.sets.iter().filter(move |set| set.creates(workspace, table).is_some())
    }
}

impl Set {
    /// Where it creates a table.
    pub fn creates(&self, workspace: &Workspace, table: &Table) -> Option<Location> {
        self.migrations.iter().map(|index| &workspace.migrations[*index]).filter(|migration| !migration.down).find_map(
            |migration| {
                let uses = migration.statements.iter().flat_map(|statement| &statement.uses);
                let mut created = uses.filter(|used| used.verb == Verb::Create && used.table == *table);
                created.next().map(|used| Location::new(migration.file, used.span))
            },
        )
    }
}

impl Workspace {
    /// Which service does what with which table; worked out when first asked for.
    pub fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::of(self))
    }
}

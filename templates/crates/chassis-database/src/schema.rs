//! The schema of the service's own database, which the service brings up to date itself.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A step of the schema: its number, what it does, its SQL. Steps that have run are never edited.
pub type Step = (i64, &'static str, &'static str);

/// Applies the steps that a database lacks. Others who do so at the same time wait for each other, where the engine has
/// locks.
pub fn migrator(schema: &[Step]) -> Migrator {
    let steps = schema.iter().map(|(number, what, sql)| {
        Migration::new(
            *number,
            (*what).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(steps.collect())
}

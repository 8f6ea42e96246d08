//! SQL migrations: which files they are.

use cargo_metadata::camino::Utf8Path;

/// Whether a path is a migration: an `.sql` file under a folder that is named for it.
pub fn is_migration(path: &Utf8Path) -> bool {
    path.extension() == Some("sql") && path.iter().any(|part| matches!(part, "migrations" | "migration" | "migrate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations() {
        for yes in ["migrations/1_items.sql", "services/a/migrations/2024/up.sql", "migration/x.sql"] {
            assert!(is_migration(yes.into()), "{yes}");
        }
        for no in ["queries/all.sql", "migrations/README.md", "migrations.sql"] {
            assert!(!is_migration(no.into()), "{no}");
        }
    }
}

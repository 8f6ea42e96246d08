//! What a file's path says about whether it ships.

use cargo_metadata::camino::Utf8Path;

use crate::workspace::query::Node;

/// Folders whose files show or test something, and run nowhere.
const NOT_SHIPPED: &[&str] = &[
    "test",
    "tests",
    "testing",
    "testdata",
    "test-data",
    "test_data",
    "e2e",
    "fixture",
    "fixtures",
    "mock",
    "mocks",
    "example",
    "examples",
    "sample",
    "samples",
    "bench",
    "benches",
    "snapshots",
    "docs",
    "doc",
    "demo",
    "demos",
];

/// Words in a folder's name that say the same: `docker-examples`, `integration-tests`.
const NOT_SHIPPED_WORDS: &[&str] = &["test", "tests", "e2e", "examples"];

/// Words in a file's name that say the same.
const NOT_SHIPPED_FILES: &[&str] =
    &["example", "sample", "template", "dist", "test", "tests", "tpl", "tmpl", "mock", "fixture", "e2e"];

/// Words in a path for an environment on one person's machine.
const LOCAL: &[&str] = &[
    "dev",
    "devel",
    "development",
    "local",
    "localhost",
    "minikube",
    "kind",
    "k3d",
    "k3s",
    "tilt",
    "skaffold",
    "sandbox",
    "playground",
    "debug",
    "ci",
];

/// Tests, examples, fixtures, documentation.
pub fn is_shown_only(path: &Utf8Path) -> bool {
    let folders = path.parent().into_iter().flat_map(Utf8Path::iter);
    let in_folder = folders.into_iter().any(|folder| {
        let has_word = || words(folder).any(|word| NOT_SHIPPED_WORDS.contains(&word.as_str()));
        NOT_SHIPPED.contains(&folder.to_ascii_lowercase().as_str()) || has_word()
    });
    in_folder || words(path.file_name().unwrap_or_default()).any(|word| NOT_SHIPPED_FILES.contains(&word.as_str()))
}

/// For development on one machine.
pub fn is_local(path: &Utf8Path) -> bool {
    has_word(path, LOCAL)
}

/// Words in the paths of code that carries out what somebody typed, or measures something for them.
const COMMANDS: &[&str] = &["benchmark", "cli", "command", "commands", "tester"];

/// Code of a subcommand, by its package or its path in there: what runs there, runs once and before somebody's eyes.
pub fn is_command(node: Node<'_>) -> bool {
    node.packages().any(|package| has_word(package.name.as_str().into(), COMMANDS)) || has_word(within_package(node), COMMANDS)
}

/// A file's path from its package's folder.
pub fn within_package(node: Node<'_>) -> &Utf8Path {
    let path = node.workspace.sources.path(node.facts().file);
    node.packages().find_map(|package| path.strip_prefix(&package.directory).ok()).unwrap_or(path)
}

/// Whether a word of a path is one of `known`.
pub fn has_word(path: &Utf8Path, known: &[&str]) -> bool {
    path.iter().flat_map(words).any(|word| known.contains(&word.as_str()))
}

fn words(part: &str) -> impl Iterator<Item = String> {
    part.split(['.', '-', '_']).map(str::to_ascii_lowercase)
}

/// Whether two names are the same to a person: `order_items`, `Order-Items`.
pub fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.replace('_', "-").to_ascii_lowercase();
    !one.is_empty() && plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships() {
        for (path, shown_only, local) in [
            ("services/orders/config.toml", false, false),
            ("services/orders/tests/config.toml", true, false),
            (".env.example", true, false),
            ("config/test.yaml", true, false),
            ("examples/a/k8s.yaml", true, false),
            ("docker-compose.dev.yml", false, true),
            ("deploy/overlays/dev/secret.yaml", false, true),
            ("config/local.toml", false, true),
            ("devices/config.toml", false, false),
            ("latest/config.toml", false, false),
            ("docker-examples/k8s.yaml", true, false),
        ] {
            assert_eq!((is_shown_only(path.into()), is_local(path.into())), (shown_only, local), "{path}");
        }
    }
}

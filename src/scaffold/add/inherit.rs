//! Fits a generated member to a workspace whose root manifest we did not write.
//!
//! A generated `Cargo.toml` inherits package keys, dependencies and lints from the root manifest generated with it. In
//! another workspace each inherited thing is, in this order: there and good enough, so inherited; not there, so added
//! (dependencies) or stated by the member (package keys) or left out (lints); there and too different, so stated by the
//! member, with a note.

use std::collections::BTreeMap;

use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use super::manifest::{ManifestError, RootManifest};

/// What fitting one or several members asks for.
#[derive(Debug, Default)]
pub struct Needs {
    /// Entries missing in `[workspace.dependencies]`: key to TOML value.
    pub dependencies: BTreeMap<String, String>,
    /// For the person: what a member states itself because the workspace's own entry does not fit.
    pub notes: Vec<String>,
}

/// The text of `member`, generated to stand below `ours`, fitted to stand below `theirs`. Adds to `needs`.
///
/// # Errors
/// When `member` does not parse.
pub fn fit(member: &str, ours: &RootManifest, theirs: &RootManifest, needs: &mut Needs) -> Result<String, ManifestError> {
    let mut document: DocumentMut = member.parse().map_err(|error: toml_edit::TomlError| ManifestError {
        message: error.message().to_owned(),
        span: error.span(),
        help: None,
    })?;
    if document.get("lints").is_some_and(is_inherited) && theirs.table("lints").is_none() {
        document.remove("lints");
    }
    let package = document.get("package").and_then(|package| package.get("name")).and_then(Item::as_str);
    let package = package.unwrap_or("the new package").to_owned();
    if let Some(table) = document.get_mut("package").and_then(Item::as_table_like_mut) {
        fit_package(table, ours.table("package"), theirs.table("package"));
    }
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(table) = document.get_mut(kind).and_then(Item::as_table_like_mut) {
            fit_dependencies(&package, table, ours, theirs, needs);
        }
    }
    Ok(document.to_string())
}

/// `key.workspace = true` or `key = { workspace = true, … }`.
fn is_inherited(item: &Item) -> bool {
    item.as_table_like().and_then(|table| table.get("workspace")).and_then(Item::as_bool) == Some(true)
}

fn inherited_keys(table: &dyn TableLike) -> Vec<String> {
    table.iter().filter(|(_, item)| is_inherited(item)).map(|(key, _)| key.to_owned()).collect()
}

fn fit_package(member: &mut dyn TableLike, ours: Option<&dyn TableLike>, theirs: Option<&dyn TableLike>) {
    for key in inherited_keys(member) {
        let (own, other) = (ours.and_then(|table| table.get(&key)), theirs.and_then(|table| table.get(&key)));
        let enough = match key.as_str() {
            // The generated code needs at least these.
            "edition" | "rust-version" => at_least(other.and_then(Item::as_str), own.and_then(Item::as_str)),
            _ => other.is_some(),
        };
        if !enough {
            match own.and_then(Item::as_value) {
                Some(value) => restate(member, &key, value.clone()),
                None => drop(member.remove(&key)),
            }
        }
    }
}

/// Replaces an inherited key by a value, which then stands as `key = value`.
fn restate(table: &mut dyn TableLike, key: &str, value: Value) {
    // The comment above `key.workspace = true` belongs to the inner key, the one above `key = …` to the outer.
    let comment = |key: &toml_edit::Key| {
        [key.leaf_decor(), key.dotted_decor()]
            .into_iter()
            .filter_map(|decor| decor.prefix()?.as_str())
            .find(|prefix| prefix.contains('#'))
            .map(str::to_owned)
    };
    let inner = table.get(key).and_then(Item::as_table_like).and_then(|inner| comment(inner.key("workspace")?));
    let outer = table.key(key).and_then(comment);
    table.insert(key, Item::Value(value.decorated(" ", "")));
    if let Some(mut key) = table.key_mut(key) {
        key.fmt();
        key.leaf_decor_mut().set_prefix(inner.or(outer).unwrap_or_default());
    }
}

fn at_least(version: Option<&str>, least: Option<&str>) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    match (version, least) {
        (Some(version), Some(least)) => numbers(version) >= numbers(least),
        (version, None) => version.is_some(),
        (None, Some(_)) => false,
    }
}

fn fit_dependencies(package: &str, member: &mut dyn TableLike, ours: &RootManifest, theirs: &RootManifest, needs: &mut Needs) {
    for key in inherited_keys(member) {
        let Some(own) = ours.table("dependencies").and_then(|table| table.get(&key)).map(Dependency::read) else { continue };
        let Some(item) = theirs.table("dependencies").and_then(|table| table.get(&key)) else {
            needs.dependencies.insert(key, own.to_value().to_string().trim().to_owned());
            continue;
        };
        let other = Dependency::read(item);
        let Some(mut entry) = member.get(&key).map(Dependency::read) else { continue };
        if other.can_stand_for(&own) {
            let missing = own.features.iter().filter(|feature| !other.features.contains(feature)).cloned();
            entry.features = missing.chain(std::mem::take(&mut entry.features)).collect();
            // A member can turn the default features on that its workspace turned off.
            entry.default_features =
                (own.default_features != Some(false) && other.default_features == Some(false)).then_some(true);
        } else {
            needs.notes.push(format!(
                "{package} depends on {key} {} itself: the workspace has {}",
                own.version.as_deref().unwrap_or("of its own"),
                other.version.as_deref().unwrap_or("another source of it")
            ));
            entry.inherited = false;
            entry.features.splice(0..0, own.features.clone());
            entry.default_features = own.default_features;
            entry.version = own.version.clone();
            entry.path = own.path.clone();
        }
        let unchanged = member.get(&key).map(Dependency::read).is_some_and(|before| before == entry);
        if !unchanged {
            restate(member, &key, entry.to_value());
        }
    }
}

/// The parts of a dependency that matter here.
#[derive(Clone, Debug, Default, PartialEq)]
struct Dependency {
    inherited: bool,
    version: Option<String>,
    path: Option<String>,
    /// Its source is something that this module does not understand: git, another registry, a renamed package.
    foreign: bool,
    features: Vec<String>,
    default_features: Option<bool>,
    optional: bool,
}

impl Dependency {
    fn read(item: &Item) -> Self {
        if let Some(version) = item.as_str() {
            return Self { version: Some(version.to_owned()), ..Self::default() };
        }
        let get = |key: &str| item.as_table_like().and_then(|table| table.get(key));
        let text = |key: &str| get(key).and_then(Item::as_str).map(str::to_owned);
        let features = get("features").and_then(Item::as_array).into_iter().flatten();
        Self {
            inherited: is_inherited(item),
            version: text("version"),
            path: text("path"),
            foreign: ["git", "registry", "package"].into_iter().any(|key| get(key).is_some()),
            features: features.filter_map(|feature| feature.as_str().map(str::to_owned)).collect(),
            default_features: get("default-features").and_then(Item::as_bool),
            optional: get("optional").and_then(Item::as_bool) == Some(true),
        }
    }

    /// Whether a workspace's entry serves a member that was written for `own`.
    fn can_stand_for(&self, own: &Self) -> bool {
        if self.foreign {
            return false;
        }
        match (&self.version, &own.version) {
            (Some(version), Some(own)) => are_compatible(version, own),
            _ => self.path.is_some() && own.path.is_some(),
        }
    }

    fn to_value(&self) -> Value {
        let mut table = InlineTable::new();
        if self.inherited {
            table.insert("workspace", true.into());
        }
        if let Some(version) = &self.version {
            table.insert("version", version.as_str().into());
        }
        if let Some(path) = &self.path {
            table.insert("path", path.as_str().into());
        }
        if let Some(default_features) = self.default_features {
            table.insert("default-features", default_features.into());
        }
        if self.optional {
            table.insert("optional", true.into());
        }
        if !self.features.is_empty() {
            table.insert("features", self.features.iter().map(String::as_str).collect::<Array>().into());
        }
        match (&self.version, table.len()) {
            (Some(version), 1) => version.as_str().into(),
            _ => table.into(),
        }
    }
}

/// Whether two requirements can be met by one version: the leftmost number that is not zero is the same, and `theirs`
/// does not forbid versions that `own` needs.
fn are_compatible(theirs: &str, own: &str) -> bool {
    let significant = |requirement: &str| -> Option<Vec<u64>> {
        let requirement = requirement.trim().trim_start_matches('^');
        if !requirement.starts_with(|c: char| c.is_ascii_digit()) || requirement.contains(',') {
            return None;
        }
        let core = requirement.split(['-', '+']).next()?;
        let numbers: Vec<u64> = core.split('.').map_while(|part| part.trim().parse().ok()).collect();
        let kept = numbers.iter().position(|number| *number != 0)?;
        Some(numbers[..=kept].to_vec())
    };
    theirs.trim() == "*" || matches!((significant(theirs), significant(own)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"
[workspace]
members = ["crates/*", "services/*"]

[workspace.package]
edition = "2024"
rust-version = "1.94"
version = "0.1.0"

[workspace.dependencies]
axum = { version = "0.8.9", default-features = false, features = ["http1", "json"] }
chassis = { path = "crates/chassis" }
serde = { version = "1.0.229", features = ["derive"] }
tokio = { version = "1.54.1", features = ["macros"] }
uuid = "1.29.3"

[workspace.lints.rust]
unsafe_code = "forbid"
"#;

    const MEMBER: &str = r#"[package]
name = "orders"
version = "0.1.0"
edition.workspace = true
rust-version.workspace = true

[dependencies]
axum.workspace = true
chassis = { workspace = true, features = ["jwt"] }
# About serde.
serde.workspace = true
uuid = { workspace = true, optional = true }

[dev-dependencies]
tokio = { workspace = true, features = ["test-util"] }

[lints]
workspace = true
"#;

    fn fit_to(theirs: &str) -> (String, Needs) {
        let (ours, theirs) = (RootManifest::parse(OURS).unwrap(), RootManifest::parse(theirs).unwrap());
        let mut needs = Needs::default();
        (fit(MEMBER, &ours, &theirs, &mut needs).unwrap(), needs)
    }

    #[test]
    fn a_generated_workspace_needs_nothing() {
        let (fitted, needs) = fit_to(OURS);
        assert_eq!(fitted, MEMBER);
        assert!(needs.dependencies.is_empty() && needs.notes.is_empty(), "{needs:?}");
    }

    #[test]
    fn a_bare_workspace_gets_the_dependencies_and_the_member_states_the_rest() {
        let (fitted, needs) = fit_to("[workspace]\n");
        let expected = MEMBER
            .replace("edition.workspace = true", "edition = \"2024\"")
            .replace("rust-version.workspace = true", "rust-version = \"1.94\"")
            .replace("\n[lints]\nworkspace = true\n", "");
        assert_eq!(fitted, expected);
        let added: Vec<_> = needs.dependencies.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(
            added,
            [
                r#"axum = { version = "0.8.9", default-features = false, features = ["http1", "json"] }"#,
                r#"chassis = { path = "crates/chassis" }"#,
                r#"serde = { version = "1.0.229", features = ["derive"] }"#,
                r#"tokio = { version = "1.54.1", features = ["macros"] }"#,
                r#"uuid = "1.29.3""#,
            ]
        );
    }

    #[test]
    fn what_is_there_is_used_as_far_as_it_fits() {
        let (fitted, needs) = fit_to(
            r#"
[workspace.package]
edition = "2021"
rust-version = "1.96"
[workspace.lints.rust]
[workspace.dependencies]
axum = { version = "0.7", features = ["macros"] }
serde = "1"
tokio = { version = "1.30", default-features = false, features = ["full", "macros"] }
uuid = { git = "https://example.org/uuid" }
chassis = { path = "libs/chassis" }
"#,
        );
        for line in [
            "edition = \"2024\"",
            "rust-version.workspace = true",
            "axum = { version = \"0.8.9\", default-features = false, features = [\"http1\", \"json\"] }",
            "chassis = { workspace = true, features = [\"jwt\"] }",
            "# About serde.\nserde = { workspace = true, features = [\"derive\"] }",
            "uuid = { version = \"1.29.3\", optional = true }",
            "tokio = { workspace = true, default-features = true, features = [\"test-util\"] }",
            "[lints]\nworkspace = true",
        ] {
            assert!(fitted.contains(line), "{line}\n{fitted}");
        }
        assert!(needs.dependencies.is_empty());
        assert_eq!(
            needs.notes,
            [
                "orders depends on axum 0.8.9 itself: the workspace has 0.7",
                "orders depends on uuid 1.29.3 itself: the workspace has another source of it",
            ]
        );
    }

    #[test]
    fn compatible_requirements() {
        for (theirs, own, compatible) in [
            ("1", "1.54.1", true),
            ("1.99", "1.54.1", true),
            ("^1.2", "1.54.1", true),
            ("*", "1.54.1", true),
            ("0.8", "0.8.9", true),
            ("0.7", "0.8.9", false),
            ("2", "1.54.1", false),
            ("0.0.3", "0.0.4", false),
            ("=1.20.0", "1.54.1", false),
            ("~1.54", "1.54.1", false),
            (">=1, <2", "1.54.1", false),
        ] {
            assert_eq!(are_compatible(theirs, own), compatible, "{theirs} {own}");
        }
    }
}

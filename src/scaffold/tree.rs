//! Which files a spec gets, and what is in them.

use std::collections::BTreeSet;

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use include_dir::{Dir, File};
use toml_edit::{DocumentMut, Item, TableLike};

use super::render::{Subject, has_protos, name_callee, name_service, render, replace_all};
use super::{Callee, TEMPLATES, crates, lock_file};
use crate::file_tree::FileTree;
use crate::service::{ServiceName, ServiceSpec, dns_label};

/// A folder's table of files that not every spec gets.
const CONDITIONS: &str = "template.toml";
/// `cargo package` drops a nested directory that holds a `Cargo.toml`, so templates carry a second extension.
const TEMPLATE_EXTENSION: &str = ".tera";

/// A whole new workspace of these services, each in its standard directory.
pub fn workspace(name: &str, specs: &[ServiceSpec]) -> FileTree {
    let mut tree = unlocked_workspace(name, specs);
    tree.create("Cargo.lock", lock_file(&specs.iter().collect::<Vec<_>>()));
    tree
}

/// Likewise, without its `Cargo.lock`.
pub fn unlocked_workspace(name: &str, specs: &[ServiceSpec]) -> FileTree {
    let known: Vec<_> = specs.iter().map(Callee::of).collect();
    let services: Vec<_> = specs.iter().map(|spec| (standard_directory(&spec.name), service_files(spec, &known))).collect();
    // What only one of them asks for is there, whichever is the first.
    let all: Vec<_> = specs.iter().collect();
    let mut tree = workspace_files(name, &all, services.iter().map(|(_, files)| files));
    for (directory, files) in services {
        tree.extend_at(&directory, files);
    }
    tree
}

/// A new workspace without `services/` and `Cargo.lock`: its root, which names the first service and has what all of them
/// need beside them, and the crates that `services` ask for.
pub fn workspace_files<'f>(
    workspace_name: &str,
    system: &[&ServiceSpec],
    services: impl Iterator<Item = &'f FileTree>,
) -> FileTree {
    let spec = system[0];
    let namespace = dns_label(workspace_name).unwrap_or_else(|| spec.name.to_string());
    let names = [("example-workspace", workspace_name.to_owned()), ("example-namespace", namespace)];
    let mut named = FileTree::default();
    for (path, file) in folder("workspace", Subject { spec, callees: &[], system }).iter() {
        // Only text holds the workspace's name.
        let contents = match std::str::from_utf8(&file.contents) {
            Ok(text) => replace_all(text, &names).into_bytes(),
            Err(_) => file.contents.clone(),
        };
        named.create(path, contents);
    }
    let mut manifests: Vec<String> = services.map(|files| text(files, "Cargo.toml")).collect();
    let needed = crates::needed_by(manifests.iter().map(String::as_str));
    for name in needed {
        manifests.push(crates::manifest(name));
        named.extend_at(&Utf8Path::new(crates::DIRECTORY).join(name), crates::files(name));
    }
    let inherited = manifests.iter().flat_map(|manifest| crates::dependencies(manifest)).collect();
    named.create("Cargo.toml", with_dependencies(&text(&named, "Cargo.toml"), &inherited));
    named
}

/// The root manifest of a new workspace, with all that any member may inherit.
pub fn root_manifest() -> String {
    text(&files_below("workspace"), "Cargo.toml")
}

/// A root manifest whose `[workspace.dependencies]` are those that members inherit.
fn with_dependencies(manifest: &str, inherited: &BTreeSet<String>) -> String {
    let mut document: DocumentMut = manifest.parse().expect("the template is TOML");
    let dependencies = document["workspace"]["dependencies"].as_table_like_mut().expect("the template has that table");
    let names: Vec<String> = dependencies.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().filter(|name| !inherited.contains(*name)) {
        dependencies.remove(name);
    }
    document.to_string()
}

/// The files of a folder that are the same for everybody.
pub fn files_below(name: &str) -> FileTree {
    let mut tree = FileTree::default();
    let folder = embedded(name);
    for file in files(folder) {
        tree.create(generated_path(folder, file), file.contents());
    }
    tree
}

pub fn text(files: &FileTree, path: &str) -> String {
    files.get(path).map(|file| String::from_utf8_lossy(&file.contents).into_owned()).unwrap_or_default()
}

/// `services/<name>`.
pub fn standard_directory(name: &ServiceName) -> Utf8PathBuf {
    format!("services/{name}").into()
}

/// One service. `known` describes services that it may call; one that is not there is taken to be as `new` makes it.
pub fn service_files(spec: &ServiceSpec, known: &[Callee]) -> FileTree {
    let callee =
        |name: &ServiceName| known.iter().find(|callee| callee.name == *name).cloned().unwrap_or_else(|| Callee::assumed(name));
    let callees: Vec<_> = spec.calls.iter().map(callee).collect();
    folder("service", Subject { spec, callees: &callees, system: &[] })
}

fn folder(name: &str, subject: Subject<'_>) -> FileTree {
    let Subject { spec, callees, .. } = subject;
    let folder = embedded(name);
    let conditions = conditions(folder);
    let mut tree = FileTree::default();
    for file in files(folder) {
        let mut path = generated_path(folder, file);
        if path == CONDITIONS {
            continue;
        }
        let template = file.contents_utf8().unwrap_or_else(|| panic!("{path} is UTF-8"));
        if let Some(condition) = conditions.get(path.as_str()).and_then(Item::as_table_like) {
            if !holds(condition, spec, callees) {
                continue;
            }
            if let Some(name) = condition.get("becomes").and_then(Item::as_str) {
                path = name.into();
            }
            if condition.get("each").is_some() {
                let api = condition.get("api").and_then(Item::as_str);
                let speaks = condition.get("speaks").and_then(Item::as_str);
                let is_it =
                    |callee: &&Callee| api == Some(callee.api()) && speaks.is_none_or(|it| it == callee.protocol.as_str());
                for callee in callees.iter().filter(is_it) {
                    let text = render(path.as_str(), template, subject, Some(callee));
                    tree.create(name_service(&name_callee(path.as_str(), callee), spec), text);
                }
                continue;
            }
        }
        tree.create(name_service(path.as_str(), spec), render(path.as_str(), template, subject, None));
    }
    tree
}

/// Whether a spec has every option that a line of the table names.
fn holds(condition: &dyn TableLike, spec: &ServiceSpec, callees: &[Callee]) -> bool {
    condition.iter().all(|(option, value)| match option {
        "protocol" => is_one_of(value, spec.protocol.as_str()),
        "store" => is_one_of(value, spec.store.as_str()),
        "auth" => value.as_str() == Some(spec.auth.as_str()),
        "tls" => value.as_str() == Some(spec.tls.as_str()),
        "discovery" => value.as_str() == Some(spec.discovery.as_str()),
        "broker" => is_one_of(value, spec.broker.as_str()),
        "public" => value.as_bool() == Some(spec.public),
        "calls" => match value.as_str() {
            Some(protocol) => callees.iter().any(|callee| callee.protocol.as_str() == protocol),
            None => value.as_bool() == Some(!spec.calls.is_empty()),
        },
        "proto" => value.as_bool() == Some(has_protos(spec, callees)),
        "becomes" | "each" | "api" | "speaks" => true,
        _ => panic!("{CONDITIONS}: `{option}` is no option"),
    })
}

/// Whether a line of the table gives an option this value, alone or among others.
fn is_one_of(given: &Item, value: &str) -> bool {
    match given.as_array() {
        Some(values) => values.iter().any(|one| one.as_str() == Some(value)),
        None => given.as_str() == Some(value),
    }
}

fn conditions(folder: &Dir<'_>) -> toml_edit::DocumentMut {
    let text = folder.get_file(folder.path().join(CONDITIONS)).and_then(File::contents_utf8).unwrap_or_default();
    text.parse().unwrap_or_else(|error| panic!("{}/{CONDITIONS}: {error}", folder.path().display()))
}

pub fn embedded(name: &str) -> &'static Dir<'static> {
    TEMPLATES.get_dir(name).unwrap_or_else(|| panic!("templates/{name} is embedded"))
}

fn files(folder: &'static Dir<'static>) -> Vec<&'static File<'static>> {
    let below = folder.dirs().flat_map(files);
    folder.files().chain(below).collect()
}

/// Path relative to the folder, without the template extension.
fn generated_path(folder: &Dir<'_>, file: &File<'_>) -> Utf8PathBuf {
    let path = file.path().strip_prefix(folder.path()).expect("a folder's files are below it");
    let path = Utf8Path::from_path(path).expect("template paths are UTF-8").as_str();
    path.strip_suffix(TEMPLATE_EXTENSION).unwrap_or(path).into()
}

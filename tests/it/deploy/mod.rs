//! Manifests, planned in memory from hand-built facts over the options that change them.

mod command;
mod config;
mod facts;
mod manifests;
mod peers;
mod typed;

use std::collections::BTreeMap;

use cargo_msvc::deploy::config::DeployConfig;
use cargo_msvc::deploy::{Edge, Manifests, Target, plan};
use cargo_msvc::workspace::{Service, Workspace};
use serde_json::Value;

/// One way to ask for manifests.
struct Case {
    name: String,
    services: Vec<Service>,
    edges: Vec<Edge>,
    config: &'static str,
}

impl Case {
    fn plan(&self) -> Manifests {
        let mut workspace = facts::workspace();
        workspace.services = self.services.clone();
        plan_with(&workspace, self.config, &self.edges, &Target { directory: "shop".into(), ..Target::default() })
    }
}

fn plan_with(workspace: &Workspace, config: &str, edges: &[Edge], target: &Target) -> Manifests {
    let config: DeployConfig = toml_edit::de::from_str(config).unwrap();
    plan(workspace, &config, edges, target)
}

/// Texts of all planned files by path.
fn texts(manifests: &Manifests) -> BTreeMap<String, String> {
    let files = manifests.managed.iter().chain(manifests.yours.iter());
    files.map(|(path, file)| (path.to_string(), String::from_utf8(file.contents.clone()).unwrap())).collect()
}

/// Every YAML document of every planned file.
fn documents(manifests: &Manifests) -> Vec<(String, Value)> {
    let texts = texts(manifests).into_iter().filter(|(path, _)| path.ends_with(".yaml"));
    texts.flat_map(|(path, text)| parse(&path, &text).into_iter().map(move |value| (path.clone(), value))).collect()
}

fn parse(path: &str, text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"))
}

/// Objects that a cluster would get from the base, by kind.
fn objects<'a>(documents: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    documents.iter().map(|(_, value)| value).filter(|value| value["kind"] == kind).collect()
}

fn notes(manifests: &Manifests) -> Vec<String> {
    manifests.notes.iter().map(|note| format!("{note}; {}", note.help)).collect()
}

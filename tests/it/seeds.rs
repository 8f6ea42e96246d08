//! Recall: of the ways in which a fault comes into a service, how many its rule finds.
//!
//! `tests/seeds/<rule-id>.toml` holds faults, each an edit of a clean workspace that `tests/seeds/bases.toml` describes. The rule must
//! report each of them, save those that say why they are `missed`: these it must not report, so that the list stays true. Seeds
//! are written from a rule's page, not from what it does: what a page promises and the rule misses stands in the table, too.
//! `SEEDS=<id>,<id>` looks at the seeds of those rules alone; `BLESS=1` writes the table, `tests/seeds/README.md`; `TREES=<directory>`
//! leaves the workspace of each seed there that is not found, to be looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_msvc::deploy::config::DeployConfig;
use cargo_msvc::deploy::{Target, edges, name_for_cluster, plan};
use cargo_msvc::file_tree::FileTree;
use cargo_msvc::lint::{self, Finding, Rule, Settings, Tier, own};
use cargo_msvc::rules;
use cargo_msvc::service::{Auth, Store};
use cargo_msvc::workspace::load::{Memory, load_again};
use serde::Deserialize;

use crate::parallel;
use crate::rules::{compare, generated};

/// Fewer ways say little about a rule.
const MIN_WAYS: usize = 3;

/// Where the dependencies of a seed go.
const MANIFEST: &str = "services/orders/Cargo.toml";

/// Text of all files by path.
type Tree = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    /// Another base that this one edits; else it is generated.
    on: Option<String>,
    store: Option<String>,
    auth: Option<String>,
    /// With the manifests that `deploy-manifests` writes.
    #[serde(default)]
    deploy: bool,
    /// The root of a repository.
    #[serde(default)]
    repository: bool,
    #[serde(default)]
    edit: Vec<Edit>,
}

/// The seeds of a rule, and what they have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeds {
    base: String,
    #[serde(default)]
    deps: Vec<String>,
    #[serde(default)]
    edit: Vec<Edit>,
    seed: Vec<Seed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    /// How the fault comes in.
    way: String,
    /// Instead of the file's.
    base: Option<String>,
    /// Lines for the dependencies of `orders`, besides the file's.
    #[serde(default)]
    deps: Vec<String>,
    /// Packages for Cargo.lock: `redis 0.27.6`.
    #[serde(default)]
    lock: Vec<String>,
    /// After the file's.
    #[serde(default)]
    edit: Vec<Edit>,
    /// How the path ends that the finding must be in.
    expect: Option<String>,
    /// Why the rule does not find it.
    missed: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Edit {
    Replace { file: String, find: String, replace: String },
    Append { file: String, append: String },
    Write { file: String, text: String },
    Remove { file: String, remove: bool },
}

#[test]
fn recall() {
    let only = std::env::var("SEEDS").ok();
    let memory = Memory::default();
    let bases = bases(&memory);
    let all: Vec<&'static Rule> = own::ALL.iter().chain(rules::ALL).copied().collect();
    let wanted = |rule: &&&'static Rule| only.as_deref().is_none_or(|only| only.split(',').any(|id| id == rule.id));
    let read: Vec<(&'static Rule, Seeds)> =
        all.iter().filter(wanted).filter(|rule| file(rule).exists()).map(|rule| (*rule, parse(&file(rule)))).collect();
    let each: Vec<(&'static Rule, &Seeds, &Seed)> =
        read.iter().flat_map(|(rule, seeds)| seeds.seed.iter().map(move |seed| (*rule, seeds, seed))).collect();
    let found = parallel::map(&each, |(rule, seeds, seed)| is_found(rule, seeds, seed, &bases, &memory));
    let mut wrong: Vec<String> = Vec::new();
    for ((rule, _, seed), found) in each.iter().zip(&found) {
        match (found, &seed.missed) {
            (false, None) => wrong.push(format!("{:32} not found: {}", rule.id, seed.way)),
            (true, Some(why)) => wrong.push(format!("{:32} found, though {why}: {}", rule.id, seed.way)),
            _ => {}
        }
    }
    wrong.extend(
        read.iter().filter(|(_, seeds)| seeds.seed.len() < MIN_WAYS).map(|(rule, _)| format!("{:32} has too few ways", rule.id)),
    );
    if only.is_none() {
        wrong.extend(compare(&folder().join("README.md"), &table(&read)));
    }
    assert!(wrong.is_empty(), "{}\n`missed = \"why\"` says that a seed is known not to be found", wrong.join("\n"));
}

#[test]
fn every_file_of_seeds_is_a_rules() {
    for entry in fs::read_dir(folder()).expect("tests/seeds").flatten() {
        let stem = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let known = own::ALL.iter().chain(rules::ALL).any(|rule| rule.id == stem);
        assert!(known || stem == "README" || stem == "bases", "{stem} is no rule's id");
    }
}

/// How many of its ways each rule finds, and what it misses.
fn table(read: &[(&'static Rule, Seeds)]) -> String {
    let missed = |seeds: &Seeds| seeds.seed.iter().filter(|seed| seed.missed.is_some()).count();
    let ways: usize = read.iter().map(|(_, seeds)| seeds.seed.len()).sum();
    let found = ways - read.iter().map(|(_, seeds)| missed(seeds)).sum::<usize>();
    let mut text = format!(
        "# Recall\n\nGenerated by `tests/it/seeds.rs` from the faults in this folder: each way stands for how a team may bring a fault \
         into a service, as its rule's page describes it. {found} of {ways} are found.\n\n| rule | ways | found |\n|---|---|---|\n"
    );
    for (rule, seeds) in read {
        let ways = seeds.seed.len();
        text += &format!("| [{id}](../../docs/rules/{id}.md) | {ways} | {} |\n", ways - missed(seeds), id = rule.id);
    }
    if found < ways {
        text += "\n## Not found\n\n";
    }
    for (rule, seed) in read.iter().flat_map(|(rule, seeds)| seeds.seed.iter().map(move |seed| (rule, seed))) {
        if let Some(why) = &seed.missed {
            text += &format!("- {}: {}: {why}.\n", rule.id, seed.way);
        }
    }
    text
}

/// Whether the rule reports the seed, and did not report what it is sown in.
fn is_found(rule: &'static Rule, seeds: &Seeds, seed: &Seed, bases: &BTreeMap<String, (Tree, bool)>, memory: &Memory) -> bool {
    let base = seed.base.as_ref().unwrap_or(&seeds.base);
    let what = format!("{}: {}", rule.id, seed.way);
    let (tree, repository) = bases.get(base).unwrap_or_else(|| panic!("{what}: there is no base `{base}`"));
    let mut tree = tree.clone();
    for line in seeds.deps.iter().chain(&seed.deps) {
        let (file, find, replace) = (MANIFEST.into(), "[dependencies]\n".into(), format!("[dependencies]\n{line}\n"));
        edit(&mut tree, &Edit::Replace { file, find, replace }, &what);
    }
    for package in &seed.lock {
        let (name, version) = package.split_once(' ').expect("a name and a version");
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        let append = format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n");
        edit(&mut tree, &Edit::Append { file: "Cargo.lock".into(), append }, &what);
    }
    seeds.edit.iter().chain(&seed.edit).for_each(|change| edit(&mut tree, change, &what));
    let is_expected = |path: &str| seed.expect.as_deref().is_none_or(|expected| path.contains(expected));
    // The linter's own rules speak of what the others find.
    let rules = if rules::ALL.contains(&rule) { &[rule][..] } else { rules::ALL };
    let found = audit(&tree, *repository, rules, memory).iter().any(|(found, path)| **found == *rule && is_expected(path));
    if let (false, Some(directory)) = (found, std::env::var_os("TREES")) {
        write(&tree, &Path::new(&directory).join(rule.id).join(seed.way.replace('/', " ")));
    }
    found
}

/// Every base by its name, and whether it is a repository. None has a finding that everybody sees.
fn bases(memory: &Memory) -> BTreeMap<String, (Tree, bool)> {
    let described: BTreeMap<String, Base> = parse(&folder().join("bases.toml"));
    let mut trees: BTreeMap<String, Tree> = BTreeMap::new();
    while trees.len() < described.len() {
        let ready = |base: &Base| base.on.as_ref().is_none_or(|on| trees.contains_key(on));
        let next = described.iter().find(|(name, base)| !trees.contains_key(*name) && ready(base));
        let (name, base) = next.expect("bases that stand on one another");
        let mut tree = match &base.on {
            Some(on) => trees[on].clone(),
            None => {
                let store = if base.store.as_deref() == Some("none") { Store::None } else { Store::Sqlite };
                let auth = if base.auth.as_deref() == Some("none") { Auth::None } else { Auth::Jwt };
                texts(&generated(store, auth))
            }
        };
        if base.deploy {
            tree.extend(manifests(&tree, memory));
        }
        base.edit.iter().for_each(|change| edit(&mut tree, change, name));
        // What is asked for on request alone (metrics, load shedding) a base of few lines lacks.
        let found = audit(&tree, base.repository, rules::ALL, memory).into_iter().filter(|(rule, _)| rule.tier == Tier::Default);
        let findings: Vec<String> = found.map(|(rule, path)| format!("{}: {path}", rule.id)).collect();
        assert!(findings.is_empty(), "the base `{name}` is not clean: {findings:?}");
        trees.insert(name.clone(), tree);
    }
    trees.into_iter().map(|(name, tree)| (name.clone(), (tree, described[&name].repository))).collect()
}

/// What `deploy-manifests` writes for a tree.
fn manifests(tree: &Tree, memory: &Memory) -> Tree {
    let directory = written(tree, false);
    let mut workspace = load_again(directory.path(), memory);
    name_for_cluster(&mut workspace.services);
    let config: DeployConfig = toml_edit::de::from_str("namespace = \"shop\"").expect("a configuration");
    let target = Target { directory: "shop".into(), ..Target::default() };
    let planned = plan(&workspace, &config, &edges(&workspace), &target);
    let files = texts(&planned.managed).into_iter().chain(texts(&planned.yours));
    files.map(|(path, text)| (format!("deploy/{path}"), text)).collect()
}

fn texts(tree: &FileTree) -> Tree {
    let text = |contents: &[u8]| String::from_utf8(contents.to_vec()).expect("text");
    tree.iter().map(|(path, file)| (path.to_string(), text(&file.contents))).collect()
}

fn edit(tree: &mut Tree, change: &Edit, what: &str) {
    let known = |tree: &Tree, file: &str| tree.get(file).cloned().unwrap_or_else(|| panic!("{what}: there is no {file}"));
    match change {
        Edit::Replace { file, find, replace } => {
            let text = known(tree, file);
            assert_eq!(text.matches(find).count(), 1, "{what}: {file} must hold once: {find}");
            tree.insert(file.clone(), text.replace(find, replace));
        }
        Edit::Append { file, append } => {
            let text = known(tree, file) + append;
            tree.insert(file.clone(), text);
        }
        Edit::Write { file, text } => {
            tree.insert(file.clone(), text.clone());
        }
        Edit::Remove { file, remove } => {
            assert!(*remove && tree.remove(file).is_some(), "{what}: there is no {file}");
        }
    }
}

/// Rules that report something, and where.
fn audit(tree: &Tree, repository: bool, rules: &[&'static Rule], memory: &Memory) -> Vec<(&'static Rule, String)> {
    let directory = written(tree, repository);
    let workspace = load_again(directory.path(), memory);
    let report = lint::run(&workspace, rules, &Settings { tier: Tier::Auditor, ..Settings::default() });
    assert_eq!(report.failures, [], "no rule may fail");
    let place = |found: &Finding| workspace.sources.path(found.diagnostic.primary.at.file).to_string();
    report.findings.iter().map(|found| (found.rule, place(found))).collect()
}

fn written(tree: &Tree, repository: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write(tree, directory.path());
    if repository {
        fs::create_dir(directory.path().join(".git")).expect("create");
    }
    directory
}

fn write(tree: &Tree, directory: &Path) {
    for (path, text) in tree {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        fs::write(path, text).expect("write");
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml_edit::de::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn file(rule: &Rule) -> PathBuf {
    folder().join(format!("{}.toml", rule.id))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds")
}

//! Every fixture of every rule, with all rules on; and the pages that rules are explained by.
//!
//! `tests/rules/<rule-id>/bad*/` and `good*/` are patches laid over a clean generated workspace with the services `orders` and
//! `billing`; with a `Cargo.toml` of its own at its root one is a whole workspace by itself. `base/` holds the files that all of
//! a rule's cases share. `removed.txt` lists files of the generated workspace that a patch takes away, and `repository.txt` makes
//! the root a repository's.
//!
//! `expected.txt` lists what all `bad*` must give, to the letter; every `good*` must give nothing. Both are about the rule itself
//! and every rule of the default tier: what others ask for on request (a breaker, metrics) a fixture of some other fault lacks.
//! `fixed.diff` is what the rule's fixes, if it has some, change in them; what they mend is then gone. `BLESS=1 cargo test --test it rules` writes the files that
//! are compared here; `RULE=<id>,<id>` looks at the fixtures of those rules alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::camino::Utf8Path;
use cargo_msvc::file_tree::{FileTree, PlannedFile};
use cargo_msvc::lint::{self, Applicability, Finding, Practice, Report, Rule, Settings, Tier, fix, own};
use cargo_msvc::output::Texts;
use cargo_msvc::service::{Auth, Discovery, Protocol, ServiceSpec, Store, Tls};
use cargo_msvc::workspace::Workspace;
use cargo_msvc::{rules, scaffold, workspace};
use similar::TextDiff;

use crate::parallel;

/// Folder of a rule's fixtures that holds what all of them share.
const BASE: &str = "base";

#[test]
fn fixtures() {
    let base = generated(Store::Sqlite, Auth::Jwt);
    let only = std::env::var("RULE").ok();
    let wanted = |rule: &&Rule| only.as_deref().is_none_or(|only| only.split(',').any(|id| id == rule.id));
    let wanted: Vec<&Rule> = rules::ALL.iter().copied().filter(wanted).collect();
    let wrong: Vec<String> = parallel::map(&wanted, |rule| fixtures_of(rule, &base)).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}\nBLESS=1 writes what is found as what is expected", wrong.join("\n"));
}

#[test]
fn a_generated_workspace_has_no_finding() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write(&generated(Store::Sqlite, Auth::Jwt), directory.path());
    assert_eq!(found_in(directory.path()), Vec::<String>::new());
}

#[test]
fn every_fixture_folder_is_a_rules() {
    let ids: BTreeSet<String> = rules::ALL.iter().map(|rule| rule.id.to_owned()).collect();
    for folder in folders(&fixtures_root()) {
        assert!(ids.contains(&name(&folder)), "{} is no rule's id", folder.display());
    }
}

#[test]
fn rules_are_declared_in_full() {
    let all: Vec<&Rule> = own::ALL.iter().chain(rules::ALL).copied().collect();
    let practices = Practice::ALL.map(Practice::id);
    for (index, rule) in all.iter().enumerate() {
        let id = rule.id;
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}: words in lower case");
        assert!(!practices.contains(&id) && id != "tier", "{id} is another key of [lint]");
        let practice = rule.practice.map_or(0, |practice| practice as u8);
        assert!(
            rule.code.len() == 7 && rule.code.starts_with(&format!("MSVC{practice}")),
            "{id}: {} is no code of its practice",
            rule.code
        );
        let twin = all[..index].iter().find(|other| other.id == rule.id || other.code == rule.code);
        assert!(twin.is_none(), "{id} and {twin:?} share an id or a code");
        assert!((10..=110).contains(&rule.summary().len()), "{id}: the summary is one short sentence");
        for heading in ["Why is this bad?", "Example", "Use instead", "Not reported when", "Source"] {
            assert!(rule.section(heading).is_some_and(|text| !text.is_empty()), "{id}: no text under `## {heading}`");
        }
        assert_eq!(rule.page().matches("```").count() % 2, 0, "{id}: a code block is not closed");
    }
    assert!(rules::ALL.is_sorted_by_key(|rule| rule.code), "in code order");
}

#[test]
fn pages_follow_the_declarations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let mut index = String::from(
        "# Rules\n\nGenerated from the declarations in `src/rules`; `cargo msvc lint --explain RULE` shows the same pages.\n",
    );
    let mut practice = None;
    let mut wrong = Vec::new();
    for rule in own::ALL.iter().chain(rules::ALL) {
        if practice != Some(rule.practice) {
            let title = rule
                .practice
                .map_or("The linter itself".to_owned(), |practice| format!("{} {}", practice as u8, practice.title()));
            index += &format!("\n## {title}\n\n| code | rule | level | tier | |\n|---|---|---|---|---|\n");
            practice = Some(rule.practice);
        }
        let (id, code, level, tier) = (rule.id, rule.code, rule.level.id(), rule.tier.id());
        index += &format!("| {code} | [{id}]({id}.md) | {level} | {tier} | {} |\n", rule.summary());
        let (summary, rest) =
            rule.page().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a page has sections");
        let page = format!("# {id} ({code})\n\n{summary}\n\nLevel `{level}`, tier `{tier}`.\n{rest}\n");
        wrong.extend(compare(&folder.join(format!("{id}.md")), &page));
    }
    wrong.extend(compare(&folder.join("README.md"), &index));
    for page in fs::read_dir(&folder).expect("docs/rules").flatten().map(|entry| entry.path()) {
        let stem = page.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let known = stem == "README" || own::ALL.iter().chain(rules::ALL).any(|rule| rule.id == stem);
        if !known {
            wrong.push(format!("{} is no rule's page", page.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 writes the pages", wrong.join("\n"));
}

/// What is wrong with the fixtures of a rule, if anything.
fn fixtures_of(rule: &Rule, base: &FileTree) -> Option<String> {
    let folder = fixtures_root().join(rule.id);
    let mut cases = folders(&folder);
    cases.retain(|case| name(case) != BASE);
    let has = |kind: &str| cases.iter().any(|case| name(case).starts_with(kind));
    if !has("bad") || !has("good") {
        return Some(format!("{}: needs at least one `bad*` and one `good*` fixture in {}", rule.id, folder.display()));
    }
    let results: Vec<(String, Outcome)> = cases.iter().map(|case| (name(case), run_case(rule, case, base))).collect();
    let mut wrong = Vec::new();
    let mut expected = String::new();
    let mut fixed = String::new();
    for (case, Outcome { found, diff, unmended }) in &results {
        wrong.extend(unmended.iter().map(|what| format!("{}/{case}: {what}", rule.id)));
        fixed += diff;
        if case.starts_with("good") {
            wrong.extend(found.iter().map(|line| format!("{}/{case} must give nothing, but: {line}", rule.id)));
        } else {
            wrong.extend(
                (!found.iter().any(|line| line.contains(rule.code)))
                    .then(|| format!("{}/{case} does not give {}", rule.id, rule.code)),
            );
            found.iter().for_each(|line| expected += &format!("{case}/{line}\n"));
        }
    }
    wrong.extend(compare(&folder.join("expected.txt"), &expected));
    wrong.extend(compare(&folder.join("fixed.diff"), &fixed));
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// What one fixture gives.
struct Outcome {
    /// `path:line:column code id: message` of every finding.
    found: Vec<String>,
    /// What the rule's fixes change.
    diff: String,
    /// What is wrong with those fixes.
    unmended: Vec<String>,
}

/// A directory that holds what a fixture is about.
pub fn laid(case: &Path, generated: &FileTree) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let base = case.with_file_name(BASE);
    if [case, &base].iter().all(|folder| !folder.join("Cargo.toml").exists()) {
        write(generated, directory.path());
    }
    for (folder, path) in [&base, case].into_iter().flat_map(|folder| files_below(folder).map(move |path| (folder, path))) {
        let file = folder.join(&path);
        if path == Path::new("removed.txt") {
            for removed in fs::read_to_string(file).expect("text").lines() {
                fs::remove_file(directory.path().join(removed))
                    .unwrap_or_else(|error| panic!("{}: {removed}: {error}", case.display()));
            }
            continue;
        }
        if path == Path::new("repository.txt") {
            fs::create_dir(directory.path().join(".git")).expect("create");
            continue;
        }
        let target = directory.path().join(path);
        fs::create_dir_all(target.parent().expect("a folder")).expect("create");
        fs::copy(file, target).expect("copy");
    }
    directory
}

fn run_case(rule: &Rule, case: &Path, generated: &FileTree) -> Outcome {
    let directory = laid(case, generated);
    let (workspace, report) = audit(directory.path());
    let found =
        lines(&workspace, report.findings.iter().filter(|found| found.rule.tier == Tier::Default || *found.rule == *rule));
    let (diff, unmended) = mend(rule, &name(case), &workspace, &report);
    Outcome { found, diff, unmended }
}

/// Applies the rule's own fixes, and looks whether they did it: what they change, and what is wrong with them.
fn mend(rule: &Rule, case: &str, workspace: &Workspace, report: &Report) -> (String, Vec<String>) {
    let own =
        |report: &Report| -> Vec<Finding> { report.findings.iter().filter(|finding| *finding.rule == *rule).cloned().collect() };
    let plan = |workspace: &Workspace, findings: &[Finding]| {
        let complaint = |file, text: &str| workspace::load::complaint(workspace.sources.path(file), text);
        fix::plan(&workspace.sources, findings, Applicability::Unsafe, complaint)
    };
    let before = own(report);
    let planned = plan(workspace, &before);
    let mut wrong: Vec<String> = planned.refused.iter().map(|(_, why)| format!("a fix was refused: {why}")).collect();
    if planned.tree.is_empty() {
        return (String::new(), wrong);
    }
    let root = workspace.sources.root();
    planned.tree.write(root).expect("fixes can be written");
    let (workspace, report) = audit(root);
    let after = own(&report);
    if after.len() != before.len() - planned.mended.len() {
        let (had, mended) = (before.len(), planned.mended.len());
        wrong.push(format!("{mended} of {had} findings were mended, and {} are left", after.len()));
    }
    if planned.postponed == 0 && !plan(&workspace, &after).tree.is_empty() {
        wrong.push("fixing again changes something again".to_owned());
    }
    let diff = |(path, file): (&Utf8Path, &PlannedFile)| {
        let text = |contents| str::from_utf8(contents).expect("text");
        let old = text(file.replaces.as_deref().expect("a fix creates no file"));
        let path = format!("{case}/{path}");
        TextDiff::from_lines(old, text(&file.contents)).unified_diff().header(&path, &path).to_string()
    };
    (planned.tree.iter().map(diff).collect(), wrong)
}

fn audit(root: &Path) -> (Workspace, Report) {
    let workspace = workspace::load(root);
    let settings = Settings { tier: Tier::Auditor, ..Settings::default() };
    let report = lint::run(&workspace, rules::ALL, &settings);
    assert_eq!(report.failures, [], "no rule may fail");
    (workspace, report)
}

fn found_in(root: &Path) -> Vec<String> {
    let (workspace, report) = audit(root);
    lines(&workspace, report.findings.iter())
}

fn lines<'a>(workspace: &Workspace, findings: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let texts = Texts::new(&workspace.sources);
    let line = |finding: &Finding| {
        let at = finding.diagnostic.primary.at;
        let start = texts.place(at).start;
        let (code, id) = (finding.rule.code, finding.rule.id);
        format!("{}:{}:{} {code} {id}: {}", texts.path(at), start.line, start.column, finding.diagnostic.message)
    };
    findings.map(line).collect()
}

/// A clean workspace with two services.
pub fn generated(store: Store, auth: Auth) -> FileTree {
    let spec = |name: &str, port: u16| ServiceSpec {
        name: name.parse().expect("a valid name"),
        protocol: Protocol::Rest,
        port,
        admin_port: port + 1010,
        store,
        discovery: Discovery::Kubernetes,
        auth,
        tls: Tls::Mesh,
        public: false,
        calls: Vec::new(),
        broker: cargo_msvc::service::Broker::None,
        consumes: None,
    };
    scaffold::workspace("shop", &[spec("orders", 8080), spec("billing", 8081)])
}

fn write(tree: &FileTree, root: &Path) {
    for (path, file) in tree.iter() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        fs::write(path, &file.contents).expect("write");
    }
}

/// Says what differs, or, when blessing, writes it.
pub fn compare(path: &Path, text: &str) -> Option<String> {
    let written = fs::read_to_string(path).unwrap_or_default();
    if written == text {
        return None;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        fs::write(path, text).expect("write");
        return None;
    }
    let diff = TextDiff::from_lines(&written, text).unified_diff().header("expected", "found").to_string();
    Some(format!("{} differs:\n{diff}", path.display()))
}

pub fn fixtures_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

pub fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Paths from the folder; none when there is no folder.
fn files_below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(move |file| file.path().strip_prefix(folder).expect("inside").to_owned())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

//! What the targets do with their bytes.

use std::io::{self, Write};
use std::path::{Component, Path};

use cargo_msvc::deploy::config::DeployConfig;
use cargo_msvc::deploy::{self, Target};
use cargo_msvc::lint::baseline::Baseline;
use cargo_msvc::lint::{self, Applicability, Report, Rule, Settings, Tier, allow, fix, own};
use cargo_msvc::output::human::Options;
use cargo_msvc::output::{Style, checkstyle, concise, github, gitlab, human, json, junit, notes, rustc, sarif, services};
use cargo_msvc::workspace::{self, Workspace, load};
use cargo_msvc::{config, rules};

/// Most files of one tree.
const MAX_FILES: usize = 40;

/// Reads bytes as the file at `path` of an audited tree. Whether they are refused is no matter, as long as they are.
pub fn parse(path: &str, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        load::complaint(path.into(), text);
    }
}

/// Reads bytes as `msvc.toml`.
pub fn parse_configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = config::Source { path: config::FILE.into(), shown: config::FILE.to_owned(), text: text.to_owned() };
    match config::parse(source, &known()) {
        Ok(config) => {
            let workspace = Workspace::default();
            _ = config::resolve(&config, &workspace, &known());
            _ = deploy::config::read(&config);
        }
        Err(error) => within(text, error.span.offset(), error.span.len()),
    }
}

/// Reads bytes as a baseline; what is read is written as it stands.
pub fn parse_baseline(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(baseline) = Baseline::parse(text) else { return };
    let rendered = baseline.render();
    let again = Baseline::parse(&rendered).expect("what we write we read");
    assert_eq!(again.render(), rendered);
}

/// Audits the tree that `archive` describes: `-- path --` on a line of its own begins a file, as in the archives of Go's tests.
pub fn lint(archive: &[u8]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    if !unpack(archive, directory.path()) {
        return;
    }
    let text = std::fs::read_to_string(directory.path().join(config::FILE)).unwrap_or_default();
    let source = config::Source { path: config::FILE.into(), shown: config::FILE.to_owned(), text };
    let configuration = config::parse(source, &known()).unwrap_or_default();
    let mut workspace = workspace::load(directory.path());
    workspace.externals = configuration.lint.externals.clone();
    let settings = config::resolve(&configuration, &workspace, &known()).unwrap_or_default();
    let report = lint::run(&workspace, rules::ALL, &Settings { tier: Tier::Auditor, ..settings });
    write_all(&report, &workspace);
    plan_all(&report, &workspace);
}

/// Every format. What a terminal or a server reads line by line holds nothing that steers it.
fn write_all(report: &Report, workspace: &Workspace) {
    let mut sink = io::sink();
    let out: &mut dyn Write = &mut sink;
    let style = Style { width: 100, unicode: true };
    let mut lines = Vec::new();
    human::write(&mut lines, report, workspace, Options { style, quiet: false, verbose: true }).expect("memory takes text");
    concise::write(&mut lines, report, workspace).expect("memory takes text");
    notes::write(&mut lines, workspace, style).expect("memory takes text");
    services::write_text(&mut lines, workspace, true).expect("memory takes text");
    let commands = ["::", "##["];
    let is_command = |line: &&str| commands.iter().any(|command| line.trim_start().starts_with(command));
    let said = String::from_utf8(std::mem::take(&mut lines)).expect("text");
    assert_eq!(said.lines().find(is_command), None);
    github::write(&mut lines, report, workspace, "").expect("memory takes text");
    let said = said + std::str::from_utf8(&lines).expect("text");
    let steers = |character: &char| character.is_control() && !matches!(character, '\n' | '\t');
    assert_eq!(said.chars().find(steers), None, "{said:?}");
    checkstyle::write(out, report, workspace).expect("a sink takes all");
    gitlab::write(out, report, workspace, "").expect("a sink takes all");
    json::write(out, report, workspace).expect("a sink takes all");
    json::write_lines(out, report, workspace).expect("a sink takes all");
    junit::write(out, report, workspace, &known()).expect("a sink takes all");
    rustc::write(out, report, workspace).expect("a sink takes all");
    sarif::write(out, report, workspace, &known(), "").expect("a sink takes all");
    services::write_json(out, workspace).expect("a sink takes all");
}

/// All that a report leads to: fixes, comments, a baseline that takes all of it, manifests.
fn plan_all(report: &Report, workspace: &Workspace) {
    let complain = |file, text: &str| load::complaint(workspace.sources.path(file), text);
    _ = fix::plan(&workspace.sources, &report.findings, Applicability::Unsafe, complain);
    _ = allow::plan(workspace, &report.findings, "a reason");
    let baseline = Baseline::of(&report.findings, workspace, "");
    let applied = baseline.apply(report.findings.clone(), workspace, "", |_, _| true);
    assert!(applied.kept.iter().all(|finding| own::ALL.contains(&finding.rule)), "a baseline takes what it was made of");
    _ = deploy::plan(workspace, &DeployConfig::default(), &deploy::edges(workspace), &Target::default());
}

/// Writes the files of an archive; false where it has none that may be written.
fn unpack(archive: &[u8], root: &Path) -> bool {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for line in archive.split_inclusive(|byte| *byte == b'\n') {
        let path = std::str::from_utf8(line).ok().and_then(|line| line.trim_end().strip_prefix("-- ")?.strip_suffix(" --"));
        match path {
            Some(_) if files.len() == MAX_FILES => break,
            Some(path) => files.push((path.to_owned(), Vec::new())),
            None => files.last_mut().into_iter().for_each(|(_, contents)| contents.extend_from_slice(line)),
        }
    }
    let inside = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) && path.len() < 200;
    let mut written = false;
    for (path, contents) in files.iter().filter(|(path, _)| inside(path)) {
        let path = root.join(path);
        // A name may be no name here, or a folder already.
        let folder = path.parent().map(std::fs::create_dir_all);
        written |= folder.is_some_and(|made| made.is_ok()) && std::fs::write(&path, contents).is_ok();
    }
    written
}

fn known() -> Vec<&'static Rule> {
    own::ALL.iter().chain(rules::ALL).copied().collect()
}

fn within(text: &str, offset: usize, length: usize) {
    assert!(text.get(offset..offset + length).is_some(), "{offset}..{} of {}", offset + length, text.len());
}

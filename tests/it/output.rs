//! What each format prints for one report.

use cargo_msvc::lint::{self, Check, Diagnostic, Fix, Level, Practice, Rule, Settings, Tier};
use cargo_msvc::output::human::{self, Options};
use cargo_msvc::output::{Style, github, json, sarif};
use cargo_msvc::workspace::{FileId, Location, Sources, Span, Workspace};

/// Two services that name one database; one of them lives in a file with a hostile name and hostile text.
const COMPOSE: &str = "services:\n  orders:\n    environment:\n      DATABASE_URL: postgres://shop@db/shop\n  billing:\n    environment:\n      DATABASE_URL: postgres://shop@db/shop\n";
const HOSTILE: &str = "\u{1b}[31m##[error]line ##vso[task.x]one\u{1b}[0m\nkey = \"\u{202e}secret\"\n";
/// A name that wants out of a line, a terminal's control, a workflow command, XML and JSON.
pub const HOSTILE_FILE: &str = "a,b:c\u{1b}\u{9b}1m\n::error::x##[add-mask]<y a=\"'&]]>.toml";

pub static SHARED: Rule = Rule {
    id: "shared-database",
    code: "MSVC501",
    practice: Some(Practice::DataOwnership),
    level: Level::Deny,
    tier: Tier::Default,
    docs: " Two services use the same database.\n\n ## Why is this bad?\n A change of one schema breaks the other.\n",
    check: Check::Workspace(shared),
};

pub static LONG: Rule = Rule {
    id: "long-story",
    code: "MSVC901",
    practice: Some(Practice::Containers),
    level: Level::Warn,
    tier: Tier::Default,
    docs: " A finding with a lot to say.",
    check: Check::Workspace(long),
};

fn at(workspace: &Workspace, path: &str, text: &str, part: &str, nth: usize) -> Location {
    let start = text.match_indices(part).nth(nth).expect("part of the text").0;
    Location::new(workspace.sources.find(path.into()).expect("a file of the fixture"), Span::new(start, start + part.len()))
}

fn shared(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let url = |nth| at(workspace, "compose.yaml", COMPOSE, "postgres://shop@db/shop", nth);
    out.push(
        Diagnostic::new("`billing` and `orders` use the same database `shop` on `db`", url(1), "`billing` connects here")
            .related(url(0), "`orders` connects here")
            .help("give each service its own database, and let the other ask its API")
            .evidence("no schema of its own in either URL")
            .service("billing"),
    );
}

fn long(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let hostile = at(workspace, HOSTILE_FILE, HOSTILE, "secret", 0);
    let mut diagnostic = Diagnostic::new(
        format!("name \u{1b}]0;title\u{7} \u{9b}1m </failure> ]]> ##[error]a ##teamcity[b] \u{0}{}", "very ".repeat(200)),
        hostile,
        "here\r\n::error::x",
    );
    for nth in 0..2 {
        diagnostic = diagnostic.related(at(workspace, "compose.yaml", COMPOSE, "environment", nth), format!("place {nth}"));
    }
    for _ in 0..40 {
        diagnostic = diagnostic.related(Location::file(FileId(1)), "and here");
    }
    let fix = Fix::safe("mend\u{1b}]0;title\u{7}\r\n::error::x").replace(hostile, "hidden\n");
    out.push(diagnostic.help("word ".repeat(500)).fix(fix));
}

fn workspace() -> (tempfile::TempDir, Workspace) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("compose.yaml"), COMPOSE).expect("write");
    std::fs::write(directory.path().join(HOSTILE_FILE), HOSTILE).expect("write");
    let mut sources = Sources::new(directory.path().to_owned());
    sources.add(HOSTILE_FILE.into());
    sources.add("compose.yaml".into());
    let workspace = Workspace { sources, ..Workspace::default() };
    (directory, workspace)
}

fn human(rules: &[&'static Rule], style: Style) -> String {
    let (_directory, workspace) = workspace();
    let report = lint::run(&workspace, rules, &Settings::default());
    let mut out = Vec::new();
    human::write(&mut out, &report, &workspace, Options { style, quiet: false, verbose: true }).expect("write");
    String::from_utf8(out).expect("UTF-8")
}

/// The report's bytes in a format that knows the whole workspace.
pub fn bytes(write: impl Fn(&mut Vec<u8>, &lint::Report, &Workspace)) -> String {
    let (_directory, workspace) = workspace();
    let report = lint::run(&workspace, &[&SHARED, &LONG], &Settings::default());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    write(&mut first, &report, &workspace);
    write(&mut second, &report, &workspace);
    assert_eq!(first, second, "the same bytes each time");
    String::from_utf8(first).expect("UTF-8")
}

#[test]
fn human_shows_both_places_in_one_picture() {
    colored::control::set_override(false);
    assert_eq!(
        human(&[&SHARED], Style { width: 100, unicode: true }),
        "\
error[MSVC501] shared-database · billing
  │ `billing` and `orders` use the same database `shop` on `db`
   ╭─[compose.yaml:7:21]
 3 │     environment:
 4 │       DATABASE_URL: postgres://shop@db/shop
   ·                     ───────────┬───────────
   ·                                ╰── `orders` connects here
 5 │   billing:
 6 │     environment:
 7 │       DATABASE_URL: postgres://shop@db/shop
   ·                     ───────────┬───────────
   ·                                ╰── `billing` connects here
   ╰────
  help: give each service its own database, and let the other ask its API
  looked for: no schema of its own in either URL
  confidence: high
  more: cargo msvc lint --explain shared-database

practice        errors  warnings
Data ownership       1         ·

service         errors  warnings
billing              1         ·

1 error; looked at 0 services in 2 files
"
    );
}

#[test]
fn human_stays_on_one_screen_and_in_control_of_the_terminal() {
    colored::control::set_override(false);
    for width in [40, 60, 100] {
        let text = human(&[&LONG], Style { width, unicode: true });
        let finding = text.split("\n\n").next().expect("a finding");
        assert!(finding.lines().count() <= 24, "{finding}");
        assert!(text.contains("more places"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
}

#[test]
fn human_is_plain_ascii_where_the_terminal_is() {
    colored::control::set_override(false);
    let text = human(&[&SHARED], Style { width: 80, unicode: false });
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}

#[test]
fn json_keeps_its_schema() {
    let text = bytes(|out, report, workspace| json::write(out, report, workspace).expect("write"));
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/lint-1.json");
    validate(schema, &document);
    let finding = &document["findings"][1];
    assert_eq!(
        (&finding["rule"], &finding["file"], &finding["line"], &finding["column"], &finding["end_column"]),
        (&"shared-database".into(), &"compose.yaml".into(), &7.into(), &21.into(), &44.into())
    );
    assert_eq!(finding["related"][0]["line"], 4);
    assert_eq!(finding["fix"], serde_json::Value::Null);
    let fix = &document["findings"][0]["fix"];
    assert_eq!((&fix["applicability"], &fix["edits"][0]["text"]), (&"safe".into(), &"hidden\n".into()));
    assert_eq!(fix["edits"][0]["end_column"], document["findings"][0]["end_column"]);
    assert_eq!(document["summary"]["by_service"], serde_json::json!({ "billing": 1 }));
}

#[test]
fn sarif_is_valid() {
    let text = bytes(|out, report, workspace| sarif::write(out, report, workspace, &[&SHARED, &LONG], "").expect("write"));
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    validate(&sarif_schema(), &document);
    let typed: serde_sarif::sarif::Sarif = serde_json::from_str(&text).expect("SARIF types");
    let run = &typed.runs[0];
    let results = run.results.as_ref().expect("results");
    let rules = run.tool.driver.rules.as_ref().expect("rules");
    for result in results {
        let index = usize::try_from(result.rule_index.expect("an index")).expect("in range");
        assert_eq!(result.rule_id.as_ref(), Some(&rules[index].id));
    }
    let replaced = |result: &serde_json::Value| {
        result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"].clone()
    };
    let replaced: Vec<_> = document["runs"][0]["results"].as_array().expect("results").iter().map(replaced).collect();
    assert_eq!(replaced, ["hidden\n".into(), serde_json::Value::Null]);
    assert!(
        text.contains("a%2Cb%3Ac%1B%C2%9B1m%0A%3A%3Aerror%3A%3Ax%23%23%5Badd-mask%5D%3Cy%20a%3D%22%27%26%5D%5D%3E.toml"),
        "paths are URIs"
    );
    let prints: std::collections::BTreeSet<_> =
        results.iter().map(|result| format!("{:?}", result.partial_fingerprints)).collect();
    assert_eq!(prints.len(), results.len(), "no two results share a fingerprint");
}

#[test]
fn github_commands_cannot_be_broken_out_of() {
    let text = bytes(|out, report, workspace| github::write(out, report, workspace, "back,end").expect("write"));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "one line a finding: {text}");
    assert!(lines[0].starts_with(
        "::warning file=back%2Cend/a%2Cb%3Ac?¿1m%0A%3A%3Aerror%3A%3Ax#?[add-mask]<y a=\"'&]]>.toml,line=2,endLine=2,col=9,endColumn=15,title=MSVC901 long-story::name "
    ));
    assert_eq!(
        lines[1],
        "::error file=back%2Cend/compose.yaml,line=7,endLine=7,col=21,endColumn=44,title=MSVC501 shared-database::\
         `billing` and `orders` use the same database `shop` on `db`%0Ahelp: give each service its own database, and let the other ask its API"
    );
}

#[test]
fn nothing_found_is_said_in_one_line() {
    colored::control::set_override(false);
    assert_eq!(human(&[], Style { width: 80, unicode: true }), "✓ no findings in 0 services in 2 files\n");
}

pub fn validate(schema: &str, document: &serde_json::Value) {
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new().compile(schema, &mut schemas).expect("a schema");
    if let Err(error) = schemas.validate(document, schema) {
        panic!("{error:#}\n{document:#}");
    }
}

/// The published schema, as the crate `serde-sarif` carries it.
fn sarif_schema() -> String {
    // Only this platform's crates have been downloaded.
    let rustc = std::process::Command::new("rustc").arg("-vV").output().expect("rustc");
    let rustc = String::from_utf8(rustc.stdout).expect("UTF-8");
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--offline".to_owned(), "--filter-platform".to_owned(), host.to_owned()])
        .exec()
        .expect("cargo metadata");
    let package = metadata.packages.iter().find(|package| package.name.as_str() == "serde-sarif").expect("serde-sarif");
    package.manifest_path.with_file_name("src").join("schema.json").into_string()
}

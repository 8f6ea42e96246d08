//! `lint --add-allow`: comments in each language's own way, after which there is silence.

use cargo_msvc::lint::{self, Finding, Rule, Settings, Tier, allow, own};
use cargo_msvc::service::{Auth, Store};
use cargo_msvc::{rules, workspace};

use crate::parallel;
use crate::rules::{fixtures_root, folders, generated, laid};
use crate::sandbox::Sandbox;

const REASON: &str = "the test says so";

/// Not the engine's: what it says is about the comments.
#[test]
fn what_any_rule_finds_can_be_allowed() {
    let base = generated(Store::Sqlite, Auth::Jwt);
    let wrong = parallel::map(rules::ALL, |rule: &&'static Rule| {
        let settings = Settings { tier: Tier::Auditor, ..Settings::default() };
        let cases = folders(&fixtures_root().join(rule.id));
        let is_bad = |case: &&std::path::PathBuf| case.file_name().unwrap().to_str().unwrap().starts_with("bad");
        let directory = laid(cases.iter().find(is_bad).expect("a bad case"), &base);
        let audit = || {
            let workspace = workspace::load(directory.path());
            let mut report = lint::run(&workspace, &[rule], &settings);
            // A comment for another rule, in the fixture, is about what is not run here.
            report.findings.retain(|finding| finding.rule != &own::UNREADABLE_FILE);
            (workspace, report.findings)
        };
        let (workspace, findings) = audit();
        let planned = allow::plan(&workspace, &findings, REASON);
        planned.tree.write(directory.path()).unwrap();
        let (workspace, left) = audit();
        let said = |finding: &Finding| {
            format!("{}: {}: {}", rule.id, workspace.sources.path(finding.diagnostic.primary.at.file), finding.diagnostic.message)
        };
        let stays: Vec<_> = planned.left.iter().map(|(_, why)| format!("{}: {why}", rule.id)).collect();
        left.iter().map(said).chain(stays).collect::<Vec<_>>()
    });
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_comment_is_written_once_and_then_there_is_silence() {
    let manifest = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\nsqlx = { version = \"0.8\", features = [\"postgres\"] }\n";
    let source = "#[tokio::main]\nasync fn main() {\n    std::thread::sleep(one());\r\n    let text = \"\n  a\";\n    sqlx::query(\"INSERT INTO a (id) VALUES (1)\").execute(pool(text)).await.unwrap();\n    axum::serve(listener(), router(text)).await.unwrap();\n}\n";
    let image = "# syntax=docker/dockerfile:1\nFROM debian:latest\nRUN apt-get update \\\n && apt-get install -y curl\nCMD [\"orders\"]\n";
    let compose = "services:\n  orders:\n    build: .\n    image: orders:latest\n    environment:\n      API_KEY: 9f8e7d6c5b4a39281706f5e4d3c2b1a0\n";
    let migration = "SELECT 1;\nALTER TABLE a ADD COLUMN c int NOT NULL;\n";
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", manifest),
        ("src/main.rs", source),
        ("Dockerfile", image),
        ("compose.yaml", compose),
        ("migrations/1.sql", "CREATE TABLE a (id int);\n"),
        ("migrations/2.sql", migration),
        ("config.toml", "[store]\napi_key = \"sk_live_9f8e7d6c5b4a39281706f5e4\"\n"),
    ]);
    let run = |flags: &[&str]| sandbox.run("", &[&["lint", "--format", "concise", "--warn", "unsafe-migration"], flags].concat());
    let before = sandbox.files();
    let found = run(&[]).stdout;
    for file in ["src/main.rs", "Dockerfile", "compose.yaml", "migrations/2.sql", "config.toml"] {
        assert!(found.lines().any(|line| line.starts_with(file)), "{file} has a finding: {found}");
    }

    let shown = run(&["--add-allow", "--reason", REASON, "--diff"]);
    assert!(shown.stdout.contains("+    // msvc: allow(blocking-in-async) because the test says so"), "{}", shown.stdout);
    assert_eq!(sandbox.files(), before, "--diff only looks");

    let written = run(&["--add-allow", "--reason", REASON]);
    assert_eq!(written.stdout, "", "{}{}", written.stdout, written.stderr);
    let after = sandbox.files();
    for (file, comment) in [
        ("src/main.rs", "    // msvc: allow(blocking-in-async) because the test says so\n    std::thread::sleep(one());\r\n"),
        ("Dockerfile", "# syntax=docker/dockerfile:1\n# msvc: allow("),
        ("compose.yaml", "\n      # msvc: allow(hardcoded-secret) because the test says so\n      API_KEY"),
        ("migrations/2.sql", "-- msvc: allow(unsafe-migration) because the test says so\nALTER"),
        ("config.toml", "# msvc: allow(hardcoded-secret) because the test says so\napi_key"),
    ] {
        let text = after[file].replace("\r\n", "\n");
        assert!(text.contains(&comment.replace("\r\n", "\n")), "{file}: {text}");
    }
    let without: String = after["src/main.rs"].split_inclusive('\n').filter(|line| !line.contains("msvc:")).collect();
    assert_eq!(without, source, "all else is as it was");
    run(&["--add-allow", "--reason", REASON]).ok();
    assert_eq!(sandbox.files(), after, "writing twice changes nothing");
    run(&[]).ok();
}

#[test]
fn a_reason_is_required() {
    let sandbox = Sandbox::new(&[("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n"), ("src/lib.rs", "")]);
    for (flags, said) in [
        (&["--add-allow"][..], "--reason <TEXT>"),
        (&["--reason", "x"], "--add-allow"),
        (&["--add-allow", "--reason", "…"], "a reason says why"),
        (&["--add-allow", "--reason", "a\nb"], "a reason is one line of text"),
        (&["--add-allow", "--reason", "x", "--fix"], "cannot be used with"),
    ] {
        sandbox.run("", &[&["lint"], flags].concat()).refused(&[said]);
    }
    assert_eq!(allow::reason("because it is old"), Ok("it is old"));
}

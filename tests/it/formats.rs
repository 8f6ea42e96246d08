//! The formats that other programs read, each read by such a program's own types, parser or schema, with hostile input.

use cargo_metadata::{Message, MetadataCommand};
use cargo_msvc::output::{checkstyle, concise, github, gitlab, human, json, junit, rustc, sarif};
use serde_json::Value;

use crate::output::{HOSTILE_FILE, LONG, SHARED, bytes, validate};
use crate::sandbox::Sandbox;

const MANIFEST: &str =
    "[package]\nname = \"orders\"\nversion = \"0.3.1\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
const SOURCE: &str = "#[tokio::main]\nasync fn main() {\n    /* ü */ std::thread::sleep(wait());\n    axum::serve(listener(), router()).await.unwrap();\n}\n";

#[test]
fn no_format_lets_a_name_or_a_text_control_a_terminal_or_a_runner() {
    let options = human::Options { style: cargo_msvc::output::Style { width: 80, unicode: true }, quiet: false, verbose: true };
    colored::control::set_override(false);
    // `tests/peers/run` has others' tools read these.
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("formats");
    std::fs::create_dir_all(&directory).unwrap();
    for (format, text) in [
        ("human", bytes(|out, report, workspace| human::write(out, report, workspace, options).unwrap())),
        ("concise", bytes(|out, report, workspace| concise::write(out, report, workspace).unwrap())),
        ("json", bytes(|out, report, workspace| json::write(out, report, workspace).unwrap())),
        ("jsonl", bytes(|out, report, workspace| json::write_lines(out, report, workspace).unwrap())),
        ("sarif", bytes(|out, report, workspace| sarif::write(out, report, workspace, &[&SHARED, &LONG], "").unwrap())),
        ("github", bytes(|out, report, workspace| github::write(out, report, workspace, "").unwrap())),
        ("gitlab", bytes(|out, report, workspace| gitlab::write(out, report, workspace, "").unwrap())),
        ("junit", bytes(|out, report, workspace| junit::write(out, report, workspace, &[&SHARED, &LONG]).unwrap())),
        ("checkstyle", bytes(|out, report, workspace| checkstyle::write(out, report, workspace).unwrap())),
        ("rustc-json", bytes(|out, report, workspace| rustc::write(out, report, workspace).unwrap())),
    ] {
        let hostile = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(text.chars().find(hostile), None, "{format}");
        assert!(text.contains("shared"), "{format}: {text}");
        // What GitHub's, Azure's and TeamCity's runners take for commands: the first at the start of a line, the rest anywhere.
        let command = |line: &str| {
            let starts = line.trim_start().starts_with("::") && format != "github";
            starts || ["##[", "##vso[", "##teamcity["].iter().any(|command| line.contains(command))
        };
        assert_eq!(text.lines().find(|line| command(line)), None, "{format}");
        std::fs::write(directory.join(format), text).unwrap();
    }
}

#[test]
fn concise_is_one_line_a_finding() {
    let text = bytes(|out, report, workspace| concise::write(out, report, workspace).unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("a,b:c?¿1m ::error::x#?[add-mask]<y a=\"'&]]>.toml:2:9: warning[long-story] name ?"), "{text}");
    assert_eq!(lines[1], "compose.yaml:7:21: error[shared-database] `billing` and `orders` use the same database `shop` on `db`");
}

#[test]
fn jsonl_is_the_findings_of_json() {
    let lines = bytes(|out, report, workspace| json::write_lines(out, report, workspace).unwrap());
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let document = bytes(|out, report, workspace| json::write(out, report, workspace).unwrap());
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(Value::Array(lines), document["findings"]);
    assert_eq!(document["findings"][0]["file"], HOSTILE_FILE, "what is escaped means the same");
}

#[test]
fn gitlab_takes_each_entry() {
    let text = bytes(|out, report, workspace| gitlab::write(out, report, workspace, "back").unwrap());
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        validate(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/codeclimate.json"), entry);
        // The severities that GitLab documents.
        let severity = entry["severity"].as_str().unwrap();
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity), "{severity}");
    }
    assert_eq!(entries[1]["location"], serde_json::json!({ "path": "back/compose.yaml", "lines": { "begin": 7, "end": 7 } }));
    assert_ne!(entries[0]["fingerprint"], entries[1]["fingerprint"]);
}

#[test]
fn xml_is_parsed_and_nothing_breaks_out() {
    let text = bytes(|out, report, workspace| junit::write(out, report, workspace, &[&SHARED, &LONG]).unwrap());
    let document = roxmltree::Document::parse(&text).unwrap();
    let names: Vec<_> = document.descendants().filter(roxmltree::Node::is_element).map(|node| node.tag_name().name()).collect();
    assert_eq!(names, ["testsuites", "testsuite", "testcase", "failure", "testsuite", "testcase", "skipped"]);
    let root = document.root_element();
    assert_eq!(
        (root.attribute("tests"), root.attribute("failures"), root.attribute("errors")),
        (Some("2"), Some("1"), Some("0"))
    );

    let text = bytes(|out, report, workspace| checkstyle::write(out, report, workspace).unwrap());
    let document = roxmltree::Document::parse(&text).unwrap();
    let files: Vec<_> = document.root_element().children().filter(roxmltree::Node::is_element).collect();
    let shown = HOSTILE_FILE.replace(['\u{1b}', '\u{9b}'], "\u{fffd}");
    assert_eq!(files.iter().map(|file| file.attribute("name")).collect::<Vec<_>>(), [Some(shown.as_str()), Some("compose.yaml")]);
    let error = files[1].first_element_child().unwrap();
    assert_eq!((error.attribute("line"), error.attribute("severity")), (Some("7"), Some("error")));
    assert!(error.attribute("message").unwrap().contains("\nhelp: give each service"), "line breaks stay");
}

/// `lint --format rustc-json` of a package, as rust-analyzer reads it.
#[test]
fn cargo_metadata_reads_rustc_json() {
    let sandbox = Sandbox::new(&[("shop/orders/Cargo.toml", MANIFEST), ("shop/orders/src/main.rs", SOURCE)]);
    let run = sandbox.run("shop", &["lint", "--format", "rustc-json", "--select", "blocking-in-async"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let messages: Vec<_> = Message::parse_stream(run.stdout.as_bytes()).map(Result::unwrap).collect();
    let [Message::CompilerMessage(message), Message::BuildFinished(finished)] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert!(!finished.success);

    // Cargo itself says which package and which target there are.
    let manifest = sandbox.path("shop/orders/Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(&manifest).no_deps().exec().unwrap();
    let package = &metadata.packages[0];
    assert_eq!(message.package_id, package.id);
    let target = &package.targets[0];
    assert_eq!((&message.target.name, &message.target.kind), (&target.name, &target.kind));
    assert_eq!((&message.target.src_path, message.target.edition), (&target.src_path, target.edition));

    let diagnostic = &message.message;
    assert_eq!(diagnostic.code.as_ref().unwrap().code, "msvc::blocking-in-async");
    let span = diagnostic.spans.iter().find(|span| span.is_primary).unwrap();
    assert_eq!(span.file_name, target.src_path.as_str());
    let start = SOURCE.find("std::thread").unwrap();
    assert_eq!((span.byte_start as usize, span.line_start, span.column_start), (start, 3, 13));
    assert_eq!(span.text[0].text, SOURCE.lines().nth(2).unwrap());

    // A reader that applies the suggestion, offsets and all, gets what --fix writes.
    let fix = diagnostic.children.iter().find(|child| child.spans.iter().any(|span| span.suggested_replacement.is_some()));
    let mut spans = fix.expect("a suggestion").spans.clone();
    spans.sort_by_key(|span| std::cmp::Reverse(span.byte_start));
    let mut mended = SOURCE.to_owned();
    for span in spans {
        let range = span.byte_start as usize..span.byte_end as usize;
        mended.replace_range(range, span.suggested_replacement.as_deref().unwrap());
    }
    sandbox.run("shop", &["lint", "--fix", "--unsafe-fixes", "--select", "blocking-in-async"]).ok();
    assert_eq!(sandbox.text("shop/orders/src/main.rs"), mended);

    let run = sandbox.run("shop", &["lint", "--format", "rustc-json", "--select", "blocking-in-async"]).ok();
    assert_eq!(run.stdout, "{\"reason\":\"build-finished\",\"success\":true}\n");
}

#[test]
fn several_formats_at_once() {
    let sandbox = Sandbox::new(&[("Cargo.toml", MANIFEST), ("src/main.rs", SOURCE), ("old.xml", "stale")]);
    let select = ["lint", "--select", "blocking-in-async", "--color", "always"];
    let run = |more: &[&str]| sandbox.run("", &[&select[..], more].concat());
    let both = run(&[
        "--format",
        "concise",
        "--output",
        "sarif=out/deep/lint.sarif",
        "--output",
        "junit=old.xml",
        "--output",
        "human=lint.txt",
    ]);
    assert_eq!(both.code, Some(1), "{}", both.stderr);
    assert!(both.stdout.starts_with("src/main.rs:3:13: error[blocking-in-async] "), "{}", both.stdout);
    let sarif: Value = serde_json::from_str(&sandbox.text("out/deep/lint.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
    assert!(roxmltree::Document::parse(&sandbox.text("old.xml")).is_ok());
    let text = sandbox.text("lint.txt");
    assert!(text.contains("blocking-in-async") && !text.contains('\u{1b}'), "{text}");
    let left: Vec<_> = sandbox.files().into_keys().filter(|path| path.starts_with(".cargo-msvc")).collect();
    assert!(left.is_empty(), "{left:?}");

    let alone = run(&["--format", "sarif"]);
    assert_eq!(alone.stdout, sandbox.text("out/deep/lint.sarif"));

    // A link stays one, whether what it leads to is there or not; what is no file is written into.
    std::os::unix::fs::symlink("target.json", sandbox.path("link.json")).unwrap();
    for _ in 0..2 {
        run(&["--output", "jsonl=link.json", "--output", "json=/dev/null"]);
        assert!(sandbox.path("link.json").is_symlink());
        assert_eq!(sandbox.text("target.json").lines().count(), 1);
    }

    run(&["--output", "sarif=src/main.rs/x"]).refused(&["--output: cannot write src/main.rs/x"]);
    run(&["--output", "sarf=x"]).refused(&["`sarf` is no format: write one of human, concise, json"]);
    run(&["--output", "sarif"]).refused(&["no file is named"]);
    run(&["--output", "sarif=-"]).refused(&["--format prints to standard output"]);
}

/// Code scanning and Code Quality count paths from the repository, whatever directory of it is audited.
#[test]
fn paths_count_from_the_repository() {
    let sandbox = Sandbox::new(&[("back end/Cargo.toml", MANIFEST), ("back end/src/main.rs", SOURCE)]);
    for (format, variable, path) in [
        ("sarif", "GITHUB_WORKSPACE", "back%20end/src/main.rs"),
        ("github", "GITHUB_WORKSPACE", "file=back end/src/main.rs,"),
        ("gitlab", "CI_PROJECT_DIR", "\"back end/src/main.rs\""),
    ] {
        let arguments = ["lint", "--select", "blocking-in-async", "--format", format];
        let mut command = sandbox.command("back end", &arguments);
        let output = command.env(variable, sandbox.path("")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(path), "{format}: {text}");
    }
}

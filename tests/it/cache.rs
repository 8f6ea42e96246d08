//! `lint` keeps what it found: the same files give the same answer without another audit, and no others do.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::sandbox::{Run, Sandbox};

const MANIFEST: &str =
    "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
const SECRET: &str = "ghp_R7dQ2mX9vK4tB8wZ1nL6cJ3fH5sP0yUaE2gM";
const MAIN: &str = "orders/src/main.rs";

fn source() -> String {
    format!(
        "#[tokio::main]\nasync fn main() {{\n    let token = \"{SECRET}\";\n    std::thread::sleep(one());\n    \
         axum::serve(listener(), router(token)).await.unwrap();\n}}\n"
    )
}

/// A service with findings of several kinds: one with a fix, one that hides a secret, a note.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(&[
        ("tree/Cargo.toml", "[workspace]\nmembers = [\"orders\"]\n"),
        ("tree/Cargo.lock", "version = 4\n[[package]]\nname = \"axum\"\nversion = \"0.8.4\"\n"),
        ("tree/msvc.toml", "[lint]\ntier = \"pedantic\"\n"),
        ("tree/chart/templates/service.yaml", "apiVersion: v1\nkind: {{ .Values.kind }}\nmetadata:\n  name: {{ x }}\n"),
        ("tree/orders/Dockerfile", "FROM debian\nCMD orders\n"),
        ("tree/orders/Cargo.toml", MANIFEST),
    ]);
    sandbox.file(&format!("tree/{MAIN}"), &source());
    sandbox
}

/// What is printed, and whether the files were parsed for it, where that is said.
fn lint(sandbox: &Sandbox, more: &[&str]) -> (Run, bool) {
    let arguments = [&["lint", "-v", "--cache-dir", "../cache"], more].concat();
    let mut run = sandbox.run("tree", &arguments);
    let (timing, said): (Vec<&str>, Vec<&str>) = run.stderr.lines().partition(|line| line.starts_with("timing "));
    let parsed = timing.iter().any(|timing| timing.contains("parse"));
    run.stderr = said.join("\n");
    (run, parsed)
}

/// The same without a cache.
fn afresh(sandbox: &Sandbox, more: &[&str]) -> Run {
    let mut run = sandbox.run("tree", &[&["lint", "-v", "--no-cache"], more].concat());
    run.stderr = run.stderr.lines().filter(|line| !line.starts_with("timing ")).collect::<Vec<_>>().join("\n");
    run
}

#[track_caller]
fn assert_same(one: &Run, other: &Run, what: &str) {
    assert_eq!((one.code, &one.stdout, &one.stderr), (other.code, &other.stdout, &other.stderr), "{what}");
}

fn entries(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = fs::read_dir(sandbox.path("cache")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn every_way_to_ask_gives_the_same_with_it() {
    let sandbox = sandbox();
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let done = git.args(identity).args(arguments).current_dir(sandbox.path("tree")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "a"]);
    sandbox.file(&format!("tree/{MAIN}"), &source().replace("one()", "two()"));
    let formats = ["human", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "checkstyle", "rustc-json"];
    let formats = formats.map(|format| vec!["--format", format]);
    let others: &[&[&str]] = &[
        &["--tier", "auditor"],
        &["--select", "security"],
        &["--ignore", "blocking-in-async"],
        &["--deny", "all"],
        &["--warn", "all", "--exit-zero"],
        &["--since", "HEAD"],
        &["--diff"],
        &["--diff", "--unsafe-fixes"],
        &["--add-allow", "--reason", "a test", "--diff"],
        &["--output", "sarif=../lint.sarif", "--output", "json=../lint.json"],
        &["--baseline", "../baseline.json", "--update-baseline"],
        &["--baseline", "../baseline.json"],
    ];
    for arguments in formats.iter().map(Vec::as_slice).chain(others.iter().copied()) {
        let what = arguments.join(" ");
        let fresh = afresh(&sandbox, arguments);
        if what.contains("--update-baseline") {
            fs::remove_file(sandbox.path("baseline.json")).unwrap();
        }
        let (first, _) = lint(&sandbox, arguments);
        assert_same(&first, &fresh, &what);
        if what.contains("--update-baseline") {
            fs::remove_file(sandbox.path("baseline.json")).unwrap();
        }
        let (second, parsed) = lint(&sandbox, arguments);
        assert!(!parsed, "{what}: audited again");
        assert_same(&second, &fresh, &what);
    }
    for entry in entries(&sandbox) {
        assert!(!String::from_utf8_lossy(&fs::read(&entry).unwrap()).contains(SECRET), "a secret is written down");
    }
    assert!(!sandbox.files().keys().any(|path| path.starts_with("tree/") && path.contains("cache")), "the tree is left alone");
}

#[test]
fn questions_about_one_place_or_the_whole_model_are_answered_in_full() {
    let sandbox = sandbox();
    lint(&sandbox, &[]);
    for arguments in [&["--why", "orders/src/main.rs:4"][..], &["--show-services"], &["--show-config"]] {
        let run = |more: &[&str]| sandbox.run("tree", &[&["lint"], more, arguments].concat());
        let what = arguments.join(" ");
        assert_same(&run(&["--cache-dir", "../cache"]), &run(&["--no-cache"]), &what);
    }
}

#[test]
fn fixes_are_those_of_an_audit() {
    let mended = |arguments: &[&str]| {
        let sandbox = sandbox();
        lint(&sandbox, &[]);
        let run = sandbox.run("tree", &[&["lint", "--fix", "--unsafe-fixes"], arguments].concat());
        let tree: Vec<_> = sandbox.files().into_iter().filter(|(path, _)| path.starts_with("tree/")).collect();
        let (after, parsed) = lint(&sandbox, &[]);
        assert_same(&after, &afresh(&sandbox, &[]), "what is left");
        (run.code, run.stdout, run.stderr, tree, parsed)
    };
    let (with, without) = (mended(&["--cache-dir", "../cache"]), mended(&["--no-cache"]));
    assert!(with.2.contains("Mended"), "{}", with.2);
    assert_eq!((with.0, &with.1, &with.2, &with.3), (without.0, &without.1, &without.2, &without.3));
    assert_eq!((with.4, without.4), (false, true), "what is left was kept");
}

/// Whatever an answer depends on: after a change of it, the tree is audited again.
#[test]
fn another_tree_has_another_answer() {
    type Change = fn(&Sandbox);
    let changes: &[(&str, Change)] = &[
        ("a changed source", |tree| tree.file(&format!("tree/{MAIN}"), &source().replace("one", "two"))),
        ("an added file", |tree| tree.file("tree/orders/.env", "DATABASE_URL=postgres://orders@db/orders\n")),
        ("a removed file", |tree| fs::remove_file(tree.path("tree/orders/Dockerfile")).unwrap()),
        ("a renamed file", |tree| {
            fs::rename(tree.path("tree/orders/Dockerfile"), tree.path("tree/orders/Dockerfile.a")).unwrap()
        }),
        ("two files swapped", |tree| {
            let paths = ["tree/orders/Dockerfile", "tree/chart/templates/service.yaml"];
            let [one, other] = paths.map(|path| tree.text(path));
            tree.file(paths[0], &other);
            tree.file(paths[1], &one);
        }),
        ("another lock", |tree| tree.file("tree/Cargo.lock", &tree.text("tree/Cargo.lock").replace("0.8.4", "0.8.9"))),
        ("another manifest", |tree| tree.file("tree/orders/Cargo.toml", &MANIFEST.replace("2024", "2021"))),
        ("other settings", |tree| tree.file("tree/msvc.toml", "[lint]\ntier = \"default\"\n")),
        ("no settings", |tree| fs::remove_file(tree.path("tree/msvc.toml")).unwrap()),
        ("settings of a package", |tree| {
            tree.file("tree/orders/Cargo.toml", &format!("{MANIFEST}[package.metadata.msvc.lint]\nall = \"allow\"\n"));
        }),
        ("a file that git ignores", |tree| tree.file("tree/.gitignore", "Dockerfile\n")),
        // Seen by Cargo alone.
        ("a target that git ignores", |tree| {
            tree.file("tree/.gitignore", "tool.rs\n");
            tree.file("tree/orders/src/bin/tool.rs", "fn main() {}\n");
        }),
        ("a repository", |tree| fs::create_dir(tree.path("tree/.git")).unwrap()),
        ("a pipeline", |tree| tree.file("tree/.github/workflows/ci.yml", "on: push\n")),
        ("a file that is no text", |tree| fs::write(tree.path("tree/orders/src/a.rs"), b"\xff").unwrap()),
    ];
    for (what, change) in changes {
        let sandbox = sandbox();
        lint(&sandbox, &[]);
        assert!(!lint(&sandbox, &[]).1, "{what}: nothing has changed yet");
        change(&sandbox);
        let (run, parsed) = lint(&sandbox, &[]);
        assert!(parsed, "{what}: not audited again");
        assert_same(&run, &afresh(&sandbox, &[]), what);
        assert!(!lint(&sandbox, &[]).1, "{what}: not kept");
    }
    // What Cargo says is part of it, too.
    let sandbox = sandbox();
    lint(&sandbox, &[]);
    let arguments = ["lint", "-v", "--cache-dir", "../cache"];
    let without_cargo = Run::of(sandbox.command("tree", &arguments).env("CARGO", "/nowhere/cargo").output().unwrap());
    assert!(without_cargo.stderr.contains("cargo cannot be started"), "{}", without_cargo.stderr);
}

#[test]
fn what_is_no_entry_is_no_answer() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: &[(&str, Damage)] = &[
        ("empty", |_| Vec::new()),
        ("cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("longer", |bytes| [bytes, b" ".to_vec()].concat()),
        ("foreign", |_| b"{\"digest\": \"\", \"findings\": []}".to_vec()),
        ("no text", |_| vec![0xff; 4096]),
        ("another number", |mut bytes| {
            let digit = bytes.iter().rposition(u8::is_ascii_digit).unwrap();
            bytes[digit] ^= 1;
            bytes
        }),
    ];
    for (what, damage) in damages {
        let sandbox = sandbox();
        let (first, _) = lint(&sandbox, &[]);
        let [entry] = &entries(&sandbox)[..] else { panic!("one entry") };
        fs::write(entry, damage(fs::read(entry).unwrap())).unwrap();
        let (second, parsed) = lint(&sandbox, &[]);
        assert!(parsed, "{what}: taken for an answer");
        assert_same(&second, &first, what);
        assert!(!lint(&sandbox, &[]).1, "{what}: not mended");
    }
    // Where nothing can be kept, the audit is made all the same.
    let sandbox = sandbox();
    sandbox.file("cache", "a file");
    let (run, parsed) = lint(&sandbox, &[]);
    assert!(parsed);
    assert_same(&run, &afresh(&sandbox, &[]), "a cache that cannot be");
}

#[test]
fn runs_at_once_do_not_disturb_each_other() {
    let sandbox = sandbox();
    let ways: Vec<(Vec<&str>, Run)> = [&["--format", "json"][..], &["--format", "json", "--tier", "auditor"]]
        .map(|way| (way.to_vec(), sandbox.run("tree", &[&["lint", "--no-cache"], way].concat())))
        .into();
    for _ in 0..3 {
        let start = |(way, _): &(Vec<&str>, Run)| {
            let mut command = sandbox.command("tree", &[&["lint", "--cache-dir", "../cache"], &way[..]].concat());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running: Vec<_> = ways.iter().cycle().take(8).map(start).collect();
        for (child, (way, expected)) in running.into_iter().zip(ways.iter().cycle()) {
            assert_same(&Run::of(child.wait_with_output().unwrap()), expected, &way.join(" "));
        }
        let left: Vec<_> = fs::read_dir(sandbox.path("cache")).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "an entry each, and .gitignore: {left:?}");
    }
}

#[test]
fn it_takes_no_more_room_than_it_may() {
    let sandbox = sandbox();
    let old = |name: &str, size: u64| {
        sandbox.file(&format!("cache/{name}"), "");
        let file = fs::File::options().write(true).open(sandbox.path("cache").join(name)).unwrap();
        file.set_len(size).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    };
    old("lint-old.json", 65 << 20);
    old("notes.txt", 65 << 20);
    old(".cargo-msvc-abandoned", 1);
    lint(&sandbox, &[]);
    let left = |name: &str| sandbox.path("cache").join(name).exists();
    assert!(!left("lint-old.json") && !left(".cargo-msvc-abandoned"));
    assert!(left("notes.txt"), "what is not ours stays");
    assert!(!lint(&sandbox, &[]).1, "the new entry stays");
}

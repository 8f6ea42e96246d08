//! `lint --since`: only what a change touches, and no program of the audited repository runs for it.

use std::process::Command;

use crate::sandbox::{Run, Sandbox};

const MANIFEST: &str =
    "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
const SOURCE: &str = "\
#[tokio::main]
async fn main() {
    std::thread::sleep(one());
    two();
    std::thread::sleep(three());
    axum::serve(listener(), router()).await.unwrap();
}
";

fn git(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(sandbox.path("")).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn commit(sandbox: &Sandbox) {
    git(sandbox, &["add", "-A"]);
    git(sandbox, &["commit", "-q", "-m", "x"]);
}

/// A repository whose `back/orders` has two findings, committed.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new(&[("back/orders/Cargo.toml", MANIFEST), ("back/orders/src/main.rs", SOURCE)]);
    git(&sandbox, &["init", "-q", "-b", "main"]);
    commit(&sandbox);
    sandbox
}

/// `path:line` of each finding that is reported since `revision`, audited at `back`.
fn since(sandbox: &Sandbox, revision: &str) -> Vec<String> {
    let arguments = ["lint", "--format", "concise", "--select", "blocking-in-async", "--since", revision];
    let run = sandbox.run("back", &arguments);
    assert!(run.code == Some(0) || run.code == Some(1), "{}", run.stderr);
    run.stdout.lines().map(|line| line.split(':').take(2).collect::<Vec<_>>().join(":")).collect()
}

#[test]
fn only_what_a_change_touches_is_reported() {
    let sandbox = repository();
    let source = "back/orders/src/main.rs";
    assert_eq!(since(&sandbox, "HEAD"), [""; 0]);

    let (first, last) = ("orders/src/main.rs:3", "orders/src/main.rs:5");
    for (changed, expected) in [
        (SOURCE.replace("one()", "another()"), &[first][..]),
        // Moved down by lines that are new.
        (SOURCE.replace("    two();", "    two();\n    two();"), &[]),
        (SOURCE.replace("    two();\n", ""), &[first, "orders/src/main.rs:4"]),
        (SOURCE.replace('\n', "\r\n"), &[]),
    ] {
        sandbox.file(source, &changed);
        assert_eq!(since(&sandbox, "HEAD"), expected, "{changed}");
    }

    // Committed, on a branch, while the main line went on.
    git(&sandbox, &["checkout", "-q", "-b", "feature"]);
    sandbox.file(source, &SOURCE.replace("three()", "other()"));
    commit(&sandbox);
    git(&sandbox, &["checkout", "-q", "main"]);
    sandbox.file(source, &SOURCE.replace("one()", "main_line()"));
    commit(&sandbox);
    git(&sandbox, &["checkout", "-q", "feature"]);
    assert_eq!(since(&sandbox, "main"), [last], "what the main line changed is not ours");
    assert_eq!(since(&sandbox, "HEAD"), [""; 0]);

    // A moved file is the file it was; a new one is new, committed or not.
    git(&sandbox, &["mv", "back/orders", "back/billing"]);
    assert_eq!(since(&sandbox, "HEAD"), [""; 0]);
    assert_eq!(since(&sandbox, "main"), ["billing/src/main.rs:5"]);
    sandbox.file("back/new/Cargo.toml", &MANIFEST.replace("orders", "new"));
    sandbox.file("back/new/src/main.rs", "fn main() { two() }\n#[tokio::main]\nasync fn run() {\n    std::thread::sleep(two());\n    axum::serve(a(), b()).await.unwrap();\n}\n");
    assert_eq!(since(&sandbox, "HEAD"), ["new/src/main.rs:4"]);
}

#[test]
fn a_finding_of_two_places_is_touched_by_either() {
    let url = "DATABASE_URL=postgres://shop@db.internal/shop\n";
    let sandbox = repository();
    sandbox.file("back/orders/.env", url);
    commit(&sandbox);
    sandbox.file("back/billing/Cargo.toml", &MANIFEST.replace("orders", "billing"));
    sandbox.file("back/billing/src/main.rs", SOURCE);
    sandbox.file("back/billing/.env", url);
    let run = sandbox.run("back", &["lint", "--format", "concise", "--select", "shared-database", "--since", "HEAD"]);
    assert_eq!(run.stdout.lines().count(), 1, "{}{}", run.stdout, run.stderr);
    commit(&sandbox);
    let run = sandbox.run("back", &["lint", "--select", "shared-database", "--since", "HEAD"]).ok();
    assert!(run.stdout.contains("1 on lines that did not change"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_compared_is_a_clear_error() {
    let sandbox = repository();
    for (revision, said) in [
        ("nowhere", &["`nowhere` is no revision of this repository", "fetch-depth: 0"][..]),
        ("--output=/dev/null", &["`--output=/dev/null` is no revision"]),
        ("HEAD:back", &["`HEAD:back` is no revision of this repository"]),
        ("", &["`` is no revision of this repository"]),
    ] {
        sandbox.run("back", &["lint", &format!("--since={revision}")]).refused(said);
    }
    let elsewhere = Sandbox::new(&[("Cargo.toml", MANIFEST), ("src/main.rs", SOURCE)]);
    elsewhere.run("", &["lint", "--since", "HEAD"]).refused(&["not a git repository", "--since needs a git repository"]);
    let output = sandbox.command("back", &["lint", "--since", "HEAD"]).env("PATH", "").output().unwrap();
    Run::of(output).refused(&["cannot run git"]);
}

/// All that a repository can name to be run on a look at it, each a program that leaves a mark.
#[test]
fn nothing_of_the_repository_runs() {
    let sandbox = repository();
    let marks = sandbox.path("marks");
    std::fs::create_dir(&marks).unwrap();
    let trap = |name: &str| format!("touch '{}' #", marks.join(name).display());
    for (key, value) in [
        ("core.fsmonitor", trap("fsmonitor")),
        ("core.pager", trap("pager")),
        ("core.sshCommand", trap("ssh")),
        ("diff.external", trap("external")),
        ("diff.trap.textconv", trap("textconv")),
        ("diff.trap.command", trap("driver")),
        ("filter.trap.clean", trap("clean") + "\n cat"),
        ("filter.trap.smudge", trap("smudge")),
        ("extensions.partialClone", "origin".to_owned()),
        ("remote.origin.promisor", "true".to_owned()),
        ("remote.origin.url", format!("ext::sh -c touch% {}", marks.join("fetch").display())),
        ("protocol.ext.allow", "always".to_owned()),
    ] {
        git(&sandbox, &["config", key, &value]);
    }
    sandbox.file(".git/info/attributes", "* diff=trap filter=trap\n");
    sandbox.file("back/orders/src/main.rs", &SOURCE.replace("one()", "another()"));
    assert_eq!(since(&sandbox, "HEAD"), ["orders/src/main.rs:3"]);
    let missing = git(&sandbox, &["rev-parse", "HEAD:back/orders/src/main.rs"]);
    let object = format!(".git/objects/{}/{}", &missing[..2], missing[2..].trim());
    std::fs::remove_file(sandbox.path(&object)).unwrap();
    sandbox.run("back", &["lint", "--since", "HEAD"]).refused(&["may leave out old contents", "`git diff`"]);
    let left: Vec<_> = std::fs::read_dir(&marks).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");

    // The traps are set: git itself walks into them.
    let look = |arguments: &[&str]| Command::new("git").current_dir(sandbox.path("")).args(arguments).output().unwrap();
    look(&["status"]);
    look(&["diff", "HEAD"]);
    let marked = std::fs::read_dir(&marks).unwrap().count();
    assert!(marked >= 2, "{marked}");
}

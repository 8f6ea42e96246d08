//! `lint --baseline`: what a team lives with for now, and how that shrinks.

use crate::sandbox::{Run, Sandbox};

const MANIFEST: &str =
    "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
const SOURCE: &str = "\
#[tokio::main]
async fn main() {
    std::thread::sleep(one());
    std::thread::sleep(one());
    std::thread::sleep(two());
    axum::serve(listener(), router()).await.unwrap();
}
";
const FILE: &str = "services/orders/src/main.rs";

fn sandbox() -> Sandbox {
    Sandbox::new(&[("services/orders/Cargo.toml", MANIFEST), (FILE, SOURCE)])
}

fn lint(sandbox: &Sandbox, directory: &str, more: &[&str]) -> Run {
    sandbox.run(directory, &[&["lint", "--format", "concise", "--select", "blocking-in-async"], more].concat())
}

/// Lines of what is reported beside the baseline.
fn reported(sandbox: &Sandbox) -> Vec<String> {
    let run = lint(sandbox, "", &["--baseline", "lint-baseline.json"]);
    run.stdout.lines().map(|line| line.split(':').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn it_holds_what_was_there_and_nothing_else() {
    let sandbox = sandbox();
    let made = lint(&sandbox, "", &["--baseline", "lint-baseline.json", "--update-baseline"]).ok();
    assert!(made.stderr.contains("Created lint-baseline.json, which holds 3 findings"), "{}", made.stderr);
    let first = sandbox.text("lint-baseline.json");
    assert_eq!(first.lines().count(), 7, "an entry a line: {first}");
    let clean = lint(&sandbox, "", &["--baseline", "lint-baseline.json"]).ok();
    assert_eq!((clean.stdout.as_str(), clean.stderr.as_str()), ("", ""));

    for (changed, expected, why) in [
        (SOURCE.replace("async fn main() {\n", "async fn main() {\n\n    // More.\n    more();\n"), &[][..], "moved lines"),
        (SOURCE.replace("    std::thread::sleep", "        std::thread::sleep"), &[], "another indentation"),
        (SOURCE.replace("two()", "three()"), &["5"], "a changed line"),
        (
            SOURCE.replace("    std::thread::sleep(two", "    std::thread::sleep(one());\n    std::thread::sleep(two"),
            &["5"],
            "one more alike",
        ),
    ] {
        sandbox.file(FILE, &changed);
        assert_eq!(reported(&sandbox), expected, "{why}");
    }
    sandbox.file(FILE, SOURCE);
    std::fs::rename(sandbox.path("services/orders"), sandbox.path("services/billing")).unwrap();
    assert_eq!(reported(&sandbox), [""; 0], "a moved directory");
    std::fs::create_dir(sandbox.path("services/orders")).unwrap();
    sandbox.file("services/orders/Cargo.toml", MANIFEST);
    sandbox.file(FILE, SOURCE);
    sandbox.file("services/billing/Cargo.toml", &MANIFEST.replace("orders", "billing"));
    assert_eq!(reported(&sandbox).len(), 3, "a copy is new");
    assert_eq!(sandbox.text("lint-baseline.json"), first, "without --update-baseline the file is only read");
}

#[test]
fn it_only_shrinks() {
    let sandbox = sandbox();
    let baseline = ["--baseline", "lint-baseline.json"];
    let update = ["--baseline", "lint-baseline.json", "--update-baseline"];
    lint(&sandbox, "", &update).ok();
    let first = sandbox.text("lint-baseline.json");

    sandbox.file(FILE, &SOURCE.replace("two()", "three()"));
    let told = lint(&sandbox, "", &baseline);
    assert_eq!(told.code, Some(1), "{}", told.stdout);
    let gone = "lint-baseline.json holds 1 finding that is gone: --update-baseline takes it out";
    assert!(told.stderr.contains(gone), "{}", told.stderr);
    assert!(told.stderr.contains("\n  services/orders/src/main.rs: blocking-in-async (1)"), "{}", told.stderr);
    let updated = lint(&sandbox, "", &update);
    assert_eq!((updated.code, updated.stdout.lines().count()), (Some(1), 1), "what is new stays reported");
    assert!(updated.stderr.contains("Updated lint-baseline.json: 1 finding gone, 2 left"), "{}", updated.stderr);
    let second = sandbox.text("lint-baseline.json");
    assert!(second.len() < first.len());
    lint(&sandbox, "", &update);
    assert_eq!(sandbox.text("lint-baseline.json"), second);

    // Entries of rules that are not asked, of files that cannot be read and outside of what is audited are left alone.
    let other = sandbox.run("", &["lint", "--select", "security", "--baseline", "lint-baseline.json", "--update-baseline"]);
    assert!(!other.stderr.contains("gone"), "{}", other.stderr);
    sandbox.file(FILE, "fn main( {");
    lint(&sandbox, "", &update);
    sandbox.file(FILE, SOURCE);
    sandbox.file("services/other/Cargo.toml", &MANIFEST.replace("orders", "other"));
    sandbox.file("services/other/src/main.rs", "fn main() {}\n");
    lint(&sandbox, "services/other", &["--baseline", "../../lint-baseline.json", "--update-baseline"]).ok();
    assert_eq!(sandbox.text("lint-baseline.json"), second);

    // A part of the tree is judged with the baseline of the whole.
    let part = lint(&sandbox, "services/orders", &["--baseline", "../../lint-baseline.json"]);
    assert_eq!(part.stdout.lines().count(), 1, "{}{}", part.stdout, part.stderr);

    // What a team lives with is not mended behind its back.
    let mended = lint(&sandbox, "", &[&update[..], &["--fix", "--unsafe-fixes"]].concat()).ok();
    assert!(mended.stderr.contains("Mended 1 finding in 1 file"), "{}", mended.stderr);
    assert_eq!(sandbox.text("lint-baseline.json"), second);
}

#[test]
fn mistakes_are_clear_errors() {
    let sandbox = sandbox();
    lint(&sandbox, "", &["--baseline", "none.json"]).refused(&["there is no baseline none.json", "--update-baseline"]);
    sandbox.file("broken.json", "{\n<<<<<<< ours\n");
    lint(&sandbox, "", &["--baseline", "broken.json"]).refused(&["cannot read the baseline broken.json", "line 2"]);
    let merged = sandbox.text("broken.json");
    lint(&sandbox, "", &["--baseline", "broken.json", "--update-baseline"]).refused(&["line 2"]);
    assert_eq!(sandbox.text("broken.json"), merged, "what the person wrote stays");
    lint(&sandbox, "", &["--baseline", "services"]).refused(&["cannot read the baseline services"]);
}

//! `lint --why FILE:LINE`: which rules looked at a line, and what decided.

use crate::sandbox::Sandbox;

const MANIFEST: &str = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\nreqwest = \"0.13\"\n";
const SOURCE: &str = "\
#[tokio::main]
async fn main() {
    std::thread::sleep(one());
    // msvc: allow(blocking-in-async) because it runs once
    std::thread::sleep(two());
    let url = std::env::var(\"ERP\").unwrap_or_else(|_| \"http://erp.corp:8080/v1\".into());
    axum::serve(listener(), router(url)).await.unwrap();
}

async fn never_called() {
    std::thread::sleep(three());
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn waits() {
        std::thread::sleep(four());
    }
}
";

#[test]
fn each_line_says_what_decided() {
    let sandbox = Sandbox::new(&[
        ("shop/msvc.toml", "[lint]\nno-metrics = \"allow\"\n"),
        ("shop/orders/Cargo.toml", MANIFEST),
        ("shop/orders/src/main.rs", SOURCE),
        ("shop/orders/tests/api.rs", "fn waits() {\n    std::thread::sleep(four());\n}\n"),
        ("shop/orders/Dockerfile", "FROM debian:latest\n# a comment\nUSER 1000\nCMD [\"orders\"]\n"),
    ]);
    let why = |line: &str, flags: &[&str]| {
        let run = sandbox.run("shop", &[&["lint", "--why", line], flags].concat()).ok();
        run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect::<String>()
    };
    let main = "orders/src/main.rs";
    for (line, flags, expected) in [
        (
            3,
            &[][..],
            "found\nblocking-in-async `std::thread::sleep` blocks a thread of the async runtime\nreported as error: default\n",
        ),
        (3, &[], "package orders\nthe service orders runs it\n"),
        (3, &["--warn", "all"], "reported as warning: --warn\n"),
        (3, &["--ignore", "blocking-in-async"], "not reported: --ignore\n"),
        (5, &[], "not reported: allowed in line 4, because it runs once\n"),
        (6, &[], "looked, and took it for right\nhardcoded-endpoint it is the default of a setting\n"),
        (11, &[], "no service runs it\n"),
        (11, &[], "blocking-in-async no service runs it\n"),
        (17, &[], "it is in a module of tests, at which no rule looks\n"),
    ] {
        let text = why(&format!("{main}:{line}"), flags);
        assert!(text.contains(expected), "{line} {flags:?}: {text}");
    }
    assert!(why("orders/tests/api.rs:2", &[]).contains("no rule about code looks here: no library and no binary compiles it\n"));
    let text = why("orders/Dockerfile:1", &[]);
    assert!(text.contains("unpinned-base-image") && text.contains("reported as error: default"), "{text}");
    assert!(why("orders/Dockerfile:2", &[]).contains("no rule finds anything here"));

    // The same line as another tool, or another directory, names it.
    assert_eq!(why(&format!("{main}:3:5"), &[]), why(&format!("./{main}:3"), &[]));
    let below = sandbox.run("shop/orders/src", &["lint", "../..", "--why", "main.rs:3"]).ok();
    assert!(below.stdout.contains("reported as error: default"), "{}", below.stdout);

    sandbox.run("shop", &["lint", "--baseline", "b.json", "--update-baseline"]).ok();
    assert!(why(&format!("{main}:3"), &["--baseline", "b.json"]).contains("not reported: the baseline holds it"));
}

#[test]
fn what_is_no_line_is_a_clear_error() {
    let sandbox = Sandbox::new(&[("Cargo.toml", MANIFEST), ("src/main.rs", SOURCE), ("notes.md", "x\n")]);
    for (line, said) in [
        ("src/main.rs", "`src/main.rs` is no FILE:LINE"),
        ("src/main.rs:0", "is no FILE:LINE"),
        ("src/main.rs:900", "has 20 lines"),
        ("src/gone.rs:1", "the audit reads no file `src/gone.rs`"),
        ("notes.md:1", "the audit reads no file `notes.md`"),
        ("/etc/passwd:1", "the audit reads no file"),
    ] {
        sandbox.run("", &["lint", "--why", line]).refused(&[said]);
    }
}

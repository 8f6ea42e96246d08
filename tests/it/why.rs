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

/// Each case: a line of a handler's file, and what decides that it is right.
#[test]
fn what_rescues_a_line_is_named() {
    let source = "\
use axum::{Router, routing::get};
#[tokio::main]
async fn main() {
    let erp = reqwest::Client::builder().timeout(limit()).build().unwrap();
    let crm = reqwest::Client::new();
    let pool = sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(2)).connect(url()).await.unwrap();
    let app = Router::new().route(\"/v1/orders\", get(list)).layer(tower_http::timeout::TimeoutLayer::new(limit())).with_state((erp, crm, pool));
    axum::serve(listener(), app).with_graceful_shutdown(stop()).await.unwrap();
}
async fn list(state: State) -> String {
    tokio::task::spawn_blocking(|| std::thread::sleep(limit())).await.unwrap();
    state.1.get(url()).timeout(limit()).send().await.unwrap().text().await.unwrap()
}
";
    let manifest = format!("{MANIFEST}sqlx = \"0.8\"\ntower-http = \"0.6\"\n");
    let sandbox = Sandbox::new(&[("Cargo.toml", &manifest), ("src/main.rs", source)]);
    for (line, rule, why) in [
        (4, "http-client-without-timeout", "a limit stands on its builder"),
        (4, "client-per-request", "no handler comes to it"),
        (6, "pool-wait-outlives-request", "its wait is set"),
        (8, "no-graceful-shutdown", "it is drained, or drains by itself"),
        (8, "server-without-timeout", "what this binary serves passes a timeout"),
        (11, "blocking-in-async", "it has a thread of its own"),
    ] {
        let run = sandbox.run("", &["lint", "--tier", "pedantic", "--why", &format!("src/main.rs:{line}")]).ok();
        let text: Vec<_> = run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(text.contains(&format!("{rule} {why}")), "{line} {rule}: {}", run.stdout);
    }
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

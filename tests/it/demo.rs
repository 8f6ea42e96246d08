//! What `cargo msvc demo` does when something goes wrong. A stand-in for Cargo "builds" a stand-in for the service; the
//! loop with the real ones takes minutes and is run by `.ci/run`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{Run, Sandbox};

/// A sandbox where `cargo` yields `service`, a shell script.
fn sandbox(service: &str) -> Sandbox {
    let sandbox = Sandbox::new(&[("bin/service", service)]);
    let binary = sandbox.path("bin/service").display().to_string();
    let artifact = serde_json::json!({
        "reason": "compiler-artifact", "package_id": "orders", "manifest_path": "/x/Cargo.toml",
        "target": {
            "kind": ["bin"], "crate_types": ["bin"], "name": "orders", "src_path": "/x/main.rs", "edition": "2024",
            "doc": true, "doctest": false, "test": true
        },
        "profile": {"opt_level": "0", "debuginfo": 2, "debug_assertions": true, "overflow_checks": true, "test": false},
        "features": [], "filenames": [binary], "executable": binary, "fresh": false
    });
    sandbox.file("bin/cargo", &format!("#!/bin/sh\ncat <<'END'\n{artifact}\nEND\n"));
    for script in ["bin/service", "bin/cargo"] {
        fs::set_permissions(sandbox.path(script), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox
}

fn demo(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command("", &["demo"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
    command
}

/// A service that makes tokens and then does `otherwise`.
fn service(otherwise: &str) -> String {
    format!("#!/bin/sh\nif [ \"$1\" = dev-token ]; then echo token; exit; fi\n{otherwise}\n")
}

#[test]
fn a_service_that_does_not_start_shows_its_log() {
    let sandbox = sandbox(&service("echo first; echo the database is on fire >&2; exit 7"));
    let run = Run::of(demo(&sandbox).output().unwrap());
    run.refused(&["the service did not start: it ended with exit status: 7", "first the database is on fire"]);
    assert_eq!(sandbox.text("shop/target/demo.log"), "first\nthe database is on fire\n");
}

#[test]
fn a_service_that_makes_no_token_says_why() {
    let sandbox = sandbox("#!/bin/sh\necho no key >&2\nexit 1\n");
    Run::of(demo(&sandbox).output().unwrap()).refused(&["the service made no token: no key"]);
}

#[test]
fn a_build_that_fails_ends_it() {
    let sandbox = sandbox("");
    sandbox.file("bin/cargo", "#!/bin/sh\nexit 101\n");
    Run::of(demo(&sandbox).output().unwrap()).refused(&["the build failed: cargo ended with exit status: 101", "cargo build"]);
    fs::remove_file(sandbox.path("bin/cargo")).unwrap();
    fs::remove_dir_all(sandbox.path("shop")).unwrap();
    let mut without_cargo = demo(&sandbox);
    without_cargo.env("PATH", sandbox.path("bin"));
    Run::of(without_cargo.output().unwrap()).refused(&["the build failed: No such file or directory"]);
}

#[test]
fn a_directory_that_is_there_is_left_alone() {
    let sandbox = Sandbox::new(&[("shop/Cargo.toml", "[workspace]\n"), ("other/notes", "")]);
    let before = sandbox.files();
    sandbox.run("", &["demo"]).refused(&["`shop` is there already", "cargo msvc demo DIR"]);
    sandbox.run("", &["demo", "other"]).refused(&["is not empty; it holds: notes"]);
    assert_eq!(sandbox.files(), before);
}

#[test]
fn an_interrupted_demo_leaves_no_service_behind() {
    let sandbox = sandbox(&service("echo $$ > pid; exec sleep 300"));
    let child = demo(&sandbox).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let pid = loop {
        let pid = fs::read_to_string(sandbox.path("shop/pid")).unwrap_or_default();
        if pid.ends_with('\n') {
            break pid.trim().to_owned();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the service was not started");
        std::thread::sleep(Duration::from_millis(10));
    };
    let is_running = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().unwrap().success();
    assert!(is_running());
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let run = Run::of(child.wait_with_output().unwrap());
    run.refused(&["interrupted", "what was made so far is in `shop`"]);
    assert!(!is_running());
}

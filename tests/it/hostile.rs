//! Trees that want to crash or hang the audit, or to lead it out of itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cargo_msvc::workspace::load::complaint;
use serde_json::Value;

use crate::sandbox::Sandbox;

/// Nothing here may take longer, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MANIFEST: &str = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

/// What `lint --format json` says of a tree: the exit code and the findings' `file: message`.
fn audit(sandbox: &Sandbox) -> (i32, Vec<String>) {
    let mut command = sandbox.command("", &["lint", "--format", "json", "tree"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut stdout).unwrap());
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the audit hangs");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let document: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    let findings = document["findings"].as_array().unwrap().iter();
    let said = findings.map(|finding| format!("{}: {}", finding["file"].as_str().unwrap(), finding["message"].as_str().unwrap()));
    (status.code().expect("no signal ends it"), said.collect())
}

#[test]
fn a_file_that_breaks_its_parser_costs_only_itself() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    let aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect::<String>();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n";
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("src/parentheses.rs", format!("fn f() {{ {} }}", nested("(", ")", 200_000)).into(), "nests too deep"),
        ("src/blocks.rs", format!("fn f() {}", nested("{", "}", 200_000)).into(), "nests too deep"),
        ("src/types.rs", format!("type T = {}u8{};", "Vec<".repeat(100_000), ">".repeat(100_000)).into(), ""),
        ("src/minus.rs", format!("const X: i32 = {}1;", "-".repeat(500_000)).into(), ""),
        ("src/chain.rs", format!("fn f() {{ x{}; }}", ".y()".repeat(200_000)).into(), ""),
        ("src/sum.rs", format!("const X: i32 = 1{};", " + 1".repeat(200_000)).into(), ""),
        ("src/latin1.rs", b"// caf\xe9\nfn f() {}\n".to_vec(), "UTF-8"),
        ("src/broken.rs", b"fn f( {".to_vec(), "not valid Rust"),
        ("src/nul.rs", b"fn f() {}\0".to_vec(), "not valid Rust"),
        ("src/huge.rs", b"// x\n".repeat(2_000_000), "larger"),
        ("src/line.rs", format!("const X: &str = \"{}\";", "x".repeat(7_000_000)).into(), ""),
        ("deep.yaml", format!("{deployment}spec: {}", nested("[", "]", 200_000)).into(), "deep"),
        ("aliases.yaml", format!("{deployment}{aliases}").into(), ""),
        ("broken.yaml", format!("{deployment}spec: [").into(), "not a valid YAML file"),
        ("compose.yaml", b"services: {a: {image: [}}".to_vec(), "not a valid compose file"),
        ("deep/Cargo.toml", format!("x = {}", nested("[", "]", 100_000)).into(), ""),
        ("broken/Cargo.toml", b"[package\nname = \"x\"\n".to_vec(), "broken/Cargo.toml"),
        ("Dockerfile", b"FROM\n\xff\xfe\nRUN <<EOF\n".to_vec(), "Dockerfile"),
    ];
    for (path, contents, expected) in cases {
        let module = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs"));
        let declared = module.map(|module| format!("mod {module};\n")).unwrap_or_default();
        let main = format!("{declared}fn main() {{}}\n");
        let sandbox = Sandbox::new(&[("tree/Cargo.toml", MANIFEST), ("tree/src/main.rs", &main)]);
        let file = sandbox.path("tree").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, contents).unwrap();
        let (code, said) = audit(&sandbox);
        let all = said.join("\n");
        if expected.is_empty() {
            assert!(code == 0 || code == 1, "{path}: {code}\n{all}");
        } else {
            assert_eq!(code, 1, "{path}: {all}");
            assert!(
                said.iter().any(|line| line.contains(path) && line.contains(expected)),
                "{path}: {expected:?} is not in\n{all}"
            );
        }
        assert!(said.iter().all(|line| line.starts_with(path)), "{path} has an effect on others:\n{all}");
    }
}

#[test]
fn source_that_no_crate_is_made_of_need_not_be_rust() {
    let sandbox = Sandbox::new(&[
        ("tree/Cargo.toml", MANIFEST),
        ("tree/src/main.rs", "mod compiled;\nfn main() {}\n"),
        ("tree/src/compiled.rs", "fn f() {}\n"),
        ("tree/src/left_over.rs", "name = \"orders\"\n"),
    ]);
    let (code, said) = audit(&sandbox);
    assert_eq!((code, said.as_slice()), (0, [].as_slice()));
    fs::write(sandbox.path("tree/src/compiled.rs"), "mod below;\nfn f( {").unwrap();
    let (code, said) = audit(&sandbox);
    assert_eq!(code, 1, "{said:?}");
    assert!(said.iter().any(|line| line.contains("left_over.rs")), "it may be a module of the one that cannot be read: {said:?}");
}

/// Threads of tests have a small stack, as a main thread may have.
#[test]
fn what_a_fix_makes_is_parsed_however_deep_it_nests() {
    for text in [format!("fn f() {{ {}a }}", "!".repeat(4_900)), format!("fn f() {{ {}{} }}", "(".repeat(990), ")".repeat(990))] {
        assert_eq!(complaint("src/main.rs".into(), &text), None);
    }
    assert!(complaint("src/main.rs".into(), "fn f(").is_some());
    assert_eq!(complaint("README.md".into(), "fn f("), None, "what nobody reads has no syntax");
}

#[test]
fn the_audit_stays_in_its_tree() {
    let workspace = "[workspace]\nmembers = [\"../outside\", \"/etc\", \"gone\", \"loop/*\"]\nresolver = \"3\"\n";
    let sandbox = Sandbox::new(&[
        ("tree/Cargo.toml", workspace),
        ("tree/orders/Cargo.toml", MANIFEST),
        ("tree/orders/src/main.rs", "#[path = \"../../../outside/src/lib.rs\"]\nmod outside;\nfn main() {}\n"),
        ("outside/Cargo.toml", &MANIFEST.replace("orders", "outside")),
        ("outside/src/lib.rs", "this is not Rust"),
    ]);
    symlink("..", sandbox.path("tree/loop")).unwrap();
    symlink("itself", sandbox.path("tree/itself")).unwrap();
    symlink("../../outside/src/lib.rs", sandbox.path("tree/orders/src/link.rs")).unwrap();
    symlink("/dev/zero", sandbox.path("tree/orders/src/zero.rs")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("tree/orders/src/pipe.rs")).status();
    assert!(made.unwrap().success());
    let (code, said) = audit(&sandbox);
    assert!(code == 0 || code == 1, "{said:?}");
    assert!(!said.iter().any(|line| line.contains("outside")), "{said:?}");
}

#[test]
fn a_path_that_holds_no_workspace_is_a_clear_error() {
    let sandbox = Sandbox::new(&[("empty/README.md", ""), ("file.rs", "")]);
    for (path, texts) in [
        ("empty", &["there is no Cargo.toml in or below empty"][..]),
        ("file.rs", &["it is not a directory", "name the directory that holds it"]),
        ("missing", &["cannot audit missing"]),
    ] {
        sandbox.run("", &["lint", path]).refused(texts);
    }
}

//! `cargo msvc new`, in directories as people have them; [`partners`]: for services that need others; [`system`]: for many at once.

mod partners;
mod system;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use cargo_msvc::file_tree::{interrupted, recover};

use crate::sandbox::{Run, Sandbox};

/// The packages that Cargo sees, sorted, and of the chassis only its core; panics with what Cargo says when it sees none.
#[track_caller]
fn members(sandbox: &Sandbox, directory: &str, options: &[&str]) -> Vec<String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1"])
        .args(options)
        .current_dir(sandbox.path(directory))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids: Vec<_> = metadata["workspace_members"].as_array().unwrap().iter().collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let mut names: Vec<_> = packages
        .filter(|package| ids.contains(&&package["id"]))
        .map(|package| package["name"].as_str().unwrap().to_owned())
        .filter(|name| !name.starts_with("chassis-"))
        .collect();
    names.sort();
    names
}

/// Whether all of `old` is still in `new`, in order.
fn is_kept(old: &str, new: &str) -> bool {
    let mut rest = new.bytes();
    old.bytes().all(|wanted| rest.any(|byte| byte == wanted))
}

#[test]
fn a_workspace_is_made_where_there_is_none_and_grows() {
    let sandbox = Sandbox::new(&[]);
    let run = sandbox.run("", &["new", "orders", "--workspace", "shop"]).ok();
    assert_eq!(run.stdout, "");
    for line in
        ["     Created workspace `shop` (", "     Created services/orders, the service `orders` on port 8080, admin port 9090 ("]
    {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
    // The lock is complete: Cargo has nothing to add.
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "orders"]);

    let manifest = sandbox.text("shop/Cargo.toml");
    let run = sandbox.run("shop/services", &["new", "inventory", "--store", "none", "--auth", "none"]).ok();
    assert!(run.stderr.contains("port 8081, admin port 9091"), "{}", run.stderr);
    assert_eq!(sandbox.text("shop/Cargo.toml"), manifest, "a glob covers it");
    assert!(sandbox.text("shop/compose.yaml").contains("services/inventory/compose.yaml"));
    let links = "- [orders](services/orders/README.md)\n- [inventory](services/inventory/README.md)\n";
    assert!(sandbox.text("shop/README.md").contains(links), "{}", sandbox.text("shop/README.md"));
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "inventory", "orders"]);

    // From outside too, into a directory that no glob covers.
    sandbox.run("", &["new", "billing", "--workspace", "shop", "--path", "apps/./pay/billing/"]).ok();
    let extended = sandbox.text("shop/Cargo.toml");
    assert!(is_kept(&manifest, &extended) && extended.contains("\"apps/pay/billing\""), "{extended}");
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["billing", "chassis", "inventory", "orders"]);
    let leftovers: Vec<_> = sandbox.files().into_keys().filter(|path| path.contains("staging")).collect();
    assert_eq!(leftovers, Vec::<String>::new());
}

#[test]
fn a_service_anywhere_names_its_own_directory() {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "orders", "--path", "apps/pay/orders"]).ok();
    for (path, text) in sandbox.files() {
        assert!(!text.contains("services/orders"), "{path}");
    }
    assert_eq!(members(&sandbox, "orders", &["--locked"]), ["chassis", "orders"]);
}

#[test]
fn the_repository_is_made_once_and_nothing_is_committed() {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "orders"]).ok();
    assert!(sandbox.path("orders/.git").is_dir());
    let git = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(sandbox.path("orders")).output().unwrap();
    assert!(!git(&["rev-parse", "HEAD"]).status.success(), "there is a commit");
    sandbox.run("orders", &["new", "billing"]).ok();
    assert!(!sandbox.path("orders/services/billing/.git").exists());

    // Inside a repository there is no second one.
    let sandbox = Sandbox::new(&[]);
    assert!(Command::new("git").args(["init", "-q"]).current_dir(sandbox.path("")).status().unwrap().success());
    let run = sandbox.run("", &["new", "orders"]).ok();
    assert!(!sandbox.path("orders/.git").exists());
    assert!(!run.stderr.contains("repository"), "{}", run.stderr);

    // A fresh repository is a fine place for a workspace.
    let sandbox = Sandbox::new(&[]);
    assert!(Command::new("git").args(["init", "-q", "shop"]).current_dir(sandbox.path("")).status().unwrap().success());
    sandbox.run("", &["new", "orders", "--workspace", "shop"]).ok();
}

#[test]
fn without_git_the_workspace_is_made_all_the_same() {
    let sandbox = Sandbox::new(&[]);
    let run = Run::of(sandbox.command("", &["new", "orders"]).env("PATH", sandbox.path("")).output().unwrap()).ok();
    assert!(run.stderr.contains("warning: git was not found"), "{}", run.stderr);
    assert!(sandbox.path("orders/Cargo.toml").exists());
}

#[test]
fn scripts_read_one_object() {
    let sandbox = Sandbox::new(&[]);
    let object = |run: Run| -> serde_json::Value {
        assert_eq!(run.stderr, "");
        serde_json::from_str(&run.stdout).unwrap()
    };
    let new = ["new", "orders", "--calls", "inventory", "--workspace", "shop", "--format", "json"];
    let planned = object(sandbox.run("", &[&new[..], &["--dry-run"]].concat()).ok());
    assert_eq!((&planned["written"], sandbox.files().len()), (&false.into(), 0));
    let mut written = object(sandbox.run("", &new).ok());
    assert_eq!((&written["schema"], &written["new_workspace"]), (&"cargo-msvc/new/1".into(), &true.into()));
    let [service] = &written["services"].as_array().unwrap()[..] else { panic!("{written:#}") };
    assert_eq!((&service["directory"], &service["admin_port"]), (&"services/orders".into(), &9090.into()));
    assert_eq!(service["missing_callees"], serde_json::json!(["inventory"]));
    assert_eq!(written["next"][1]["command"], "cargo msvc new inventory");
    let there = |file: &serde_json::Value| sandbox.path("shop").join(file["path"].as_str().unwrap()).is_file();
    let files = written["files"].as_array().unwrap();
    assert!(files.len() > 50 && files.iter().all(there), "{written:#}");
    written["written"] = false.into();
    assert_eq!(planned, written);

    let added = object(sandbox.run("shop", &["new", "inventory", "--format", "json"]).ok());
    let compose = serde_json::json!({ "path": "compose.yaml", "action": "change" });
    assert!(added["files"].as_array().unwrap().contains(&compose), "{added:#}");
    // Nothing to do is no error.
    sandbox.file("shop/shop.toml", "[services.orders]\n[services.inventory]\n");
    let again = object(sandbox.run("shop", &["new", "--from", "shop.toml", "--format", "json"]).ok());
    assert_eq!((&again["services"], &again["files"]), (&serde_json::json!([]), &serde_json::json!([])));
    sandbox.run("shop", &["new", "billing", "--format", "json", "--diff"]).refused(&["--format", "--diff"]);
}

#[test]
fn showing_writes_nothing_and_the_diff_is_what_is_written() {
    let shop = || {
        let sandbox = Sandbox::new(&[]);
        sandbox.run("", &["new", "orders", "--workspace", "shop"]).ok();
        sandbox
    };
    let (shown, written) = (shop(), shop());
    let before = shown.files();
    let list = shown.run("shop", &["new", "billing", "--dry-run"]).ok();
    let diff = shown.run("shop", &["new", "billing", "--diff"]).ok();
    assert_eq!(shown.files(), before);
    assert!(
        list.stdout.starts_with("change Cargo.lock\nchange README.md\nchange compose.yaml\ncreate services/billing/"),
        "{}",
        list.stdout
    );

    written.run("shop", &["new", "billing"]).ok();
    shown.file("shop/patch", &diff.stdout);
    let applied = Command::new("git").args(["apply", "patch"]).current_dir(shown.path("shop")).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    fs::remove_file(shown.path("shop/patch")).unwrap();
    assert_eq!(shown.files(), written.files());
}

#[test]
fn quiet_says_nothing() {
    let sandbox = Sandbox::new(&[]);
    let run = sandbox.run("", &["new", "orders", "--quiet"]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

/// A package that is not ours.
const THEIRS: &str = "[package]\nname = \"theirs\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\npath = \"lib.rs\"\n";

#[test]
fn workspaces_of_every_shape_take_a_service() {
    let shapes: &[(&str, &str)] = &[
        (
            "comments and odd formatting",
            "# ours\n[workspace]   # the root\nresolver='2'\nmembers   = [ 'theirs' ,\n  # more to come\n ]\n# end",
        ),
        ("inline array", "[workspace]\nresolver = \"2\"\nmembers = [\"theirs\"]\n"),
        ("globs that cover it", "[workspace]\nresolver = \"2\"\nmembers = [\"theirs\", \"crates/*\", \"services/*\"]\n"),
        ("one glob covers it", "[workspace]\nresolver = \"2\"\nmembers = [\"theirs\", \"services/*\"]\n"),
        (
            "exclude",
            "[workspace]\nresolver = \"2\"\nmembers = [\"theirs\", \"services/*\"]\nexclude = [\"services/orders\", \"tools\"]\n",
        ),
        (
            "CRLF",
            "[workspace]\r\nresolver = \"2\"\r\nmembers = [\r\n    \"theirs\",\r\n]\r\n\r\n[workspace.package]\r\nlicense = \"MIT\"\r\n",
        ),
        ("byte order mark", "\u{feff}[workspace]\nresolver = \"2\"\nmembers = [\"theirs\"]\n"),
        (
            "dependencies of its own",
            "[workspace]\nresolver = \"2\"\nmembers = [\"theirs\"]\n\n[workspace.dependencies]\nserde = \"1\" # plain\naxum = \"0.7\"\n\n[workspace.lints.rust]\nunused = \"warn\"\n",
        ),
        (
            "root package",
            "[package]\nname = \"root\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n[dependencies]\ntheirs = { path = \"theirs\" }\n",
        ),
    ];
    for (shape, manifest) in shapes {
        let sandbox =
            Sandbox::new(&[("Cargo.toml", manifest), ("lib.rs", ""), ("theirs/Cargo.toml", THEIRS), ("theirs/lib.rs", "")]);
        let before = sandbox.files();
        let run = sandbox.run("theirs", &["new", "orders"]).ok();
        for (path, text) in &before {
            let now = sandbox.text(path);
            assert!(now == *text || (path == "Cargo.toml" && is_kept(text, &now)), "{shape}: {path} is\n{now}");
        }
        let names = members(&sandbox, "", &["--no-deps"]);
        for name in ["chassis", "orders", "theirs"] {
            assert!(names.iter().any(|seen| seen == name), "{shape}: {names:?}\n{}", sandbox.text("Cargo.toml"));
        }
        assert!(!run.stderr.contains("panicked"), "{shape}");

        sandbox.run("", &["new", "billing", "--store", "none"]).ok();
        assert!(members(&sandbox, "", &["--no-deps"]).iter().any(|name| name == "billing"), "{shape}");
        assert!(sandbox.text("Cargo.toml").matches("chassis = {").count() == 1, "{shape}: the chassis is added once");
    }
}

#[test]
fn what_the_workspace_has_is_respected_and_what_differs_is_said() {
    let root =
        "[workspace]\nmembers = [\"theirs\"]\nresolver = \"2\"\n\n[workspace.dependencies]\naxum = \"0.7\"\nserde = \"1\"\n";
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", root),
        ("Cargo.lock", "version = 4\n"),
        ("compose.yaml", "services: {}\n"),
        ("theirs/Cargo.toml", THEIRS),
        ("theirs/lib.rs", ""),
    ]);
    let run = sandbox.run("", &["new", "orders"]).ok();
    for said in [
        "warning: orders depends on axum 0.8",
        "warning: Cargo.lock is completed by the next `cargo build`",
        "add `services/orders/compose.yaml` to the `include:` list of compose.yaml",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(sandbox.text("Cargo.toml").contains("axum = \"0.7\"\nserde = \"1\"\n"));
    assert_eq!(sandbox.text("Cargo.lock"), "version = 4\n");
    assert!(sandbox.text("services/orders/Cargo.toml").contains("axum = { version = \"0.8"));
    assert!(!sandbox.text("services/orders/Cargo.toml").contains("[lints]"));
}

#[test]
fn refusals_say_what_to_do_and_write_nothing() {
    const WORKSPACE: &str = "[workspace]\nmembers = [\"theirs\"]\n";
    const CONFIG: &str = "[server]\nport = 8080\n[admin]\nport = 9090\n";
    const LOCK: &str = "version = 4\n[[package]]\nname = \"left_pad\"\nversion = \"1.0.0\"\nsource = \"registry\"\n";
    type Files = &'static [(&'static str, &'static str)];
    let cases: &[(Files, &[&str], &[&str])] = &[
        (&[], &["new", "Order_Items"], &["cannot name a service", "try `order-items`"]),
        (&[], &["new", "é"], &["for example `order-items`"]),
        (&[], &["new", "fn"], &["try `fn-service`"]),
        (&[], &["new", "tower-http"], &["`tower-http` is a crate that services are built from", "try `tower-http-service`"]),
        (&[], &["new", "serde-json"], &["try `serde-json-service`"]),
        (&[], &["new", "orders", "--calls", "stock,orders"], &["`orders` cannot call itself"]),
        (&[], &["new", "orders", "--calls", "Price_Lists"], &["cannot name a service", "try `price-lists`"]),
        (&[("Cargo.toml", WORKSPACE), ("Cargo.lock", LOCK)], &["new", "left-pad"], &["that Cargo.lock lists"]),
        (
            &[("orders/README.md", ""), ("orders/src/x", "")],
            &["new", "orders"],
            &["is not empty; it holds: README.md src", "--workspace"],
        ),
        (
            &[("shop", "a file")],
            &["new", "orders", "--workspace", "shop"],
            &["a workspace cannot be made in", "choose another directory"],
        ),
        (&[("Cargo.toml", "[package]\nname = \"alone\"\n")], &["new", "orders"], &["belongs to no workspace", "--workspace"]),
        (&[("Cargo.toml", "[workspace]\nmembers = [\"a\"\n")], &["new", "orders"], &["Cargo.toml", "members = [\"a\"", "╭─["]),
        (&[("Cargo.toml", "[workspace]\nmembers = 3\n")], &["new", "orders"], &["`members` is not an array", "members = 3"]),
        (
            &[("Cargo.toml", WORKSPACE)],
            &["new", "orders", "--workspace", "shop"],
            &["is inside the workspace", "leave --workspace out"],
        ),
        (&[("Cargo.toml", WORKSPACE)], &["new", "orders", "--path", "../orders"], &["leads out of the workspace"]),
        (&[("Cargo.toml", WORKSPACE)], &["new", "orders", "--path", "a/../../orders"], &["leads out of the workspace"]),
        (&[("Cargo.toml", WORKSPACE)], &["new", "orders", "--path", "/tmp/orders"], &["is absolute", "--path services/orders"]),
        (&[("Cargo.toml", WORKSPACE)], &["new", "orders", "--path", "."], &["is the workspace's root"]),
        (
            &[("Cargo.toml", WORKSPACE)],
            &["new", "orders", "--path", "crates/chassis"],
            &["`crates/chassis` cannot hold a service", "choose another directory with --path"],
        ),
        (&[], &["new", "orders", "--path", "crates"], &["`crates` cannot hold a service"]),
        (&[("Cargo.toml", WORKSPACE)], &["new", "orders", "--path", "a*"], &["which a Cargo.toml cannot list"]),
        (
            &[("Cargo.toml", WORKSPACE), ("theirs/Cargo.toml", THEIRS)],
            &["new", "theirs"],
            &["is already a package of this workspace, in `theirs`"],
        ),
        (
            &[("Cargo.toml", WORKSPACE), ("theirs/Cargo.toml", THEIRS), ("theirs/config.toml", CONFIG)],
            &["new", "orders", "--port", "8080"],
            &["port 8080 is taken by `theirs`", "`--port 8081` is free"],
        ),
        (
            &[("Cargo.toml", "[workspace]\nmembers = [\"libs/*\"]\n"), ("libs/c/Cargo.toml", "[package]\nname = \"chassis\"\n")],
            &["new", "orders"],
            &["the package `chassis` in `libs/c` is not the microservice chassis", "rename yours"],
        ),
        (
            &[
                ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
                (
                    "crates/chassis/Cargo.toml",
                    "[package]\nname = \"chassis\"\ndescription = \"The microservice chassis: what every service of this workspace \
                     needs and none is about\"\n",
                ),
            ],
            &["new", "orders"],
            &["the chassis in `crates/chassis` is of an earlier version of this tool", "--workspace"],
        ),
        (
            &[("Cargo.toml", WORKSPACE), ("services/orders/notes.txt", "")],
            &["new", "orders"],
            &["is not empty; it holds: notes.txt", "choose another directory with --path"],
        ),
        (
            &[("Cargo.toml", WORKSPACE), ("services", "a file")],
            &["new", "orders"],
            &["services/orders/Cargo.toml `services` is a file, not a directory"],
        ),
        (
            &[("Cargo.toml", WORKSPACE), ("crates/chassis/src/lib.rs", "mine")],
            &["new", "orders"],
            &["crates/chassis/src/lib.rs already exists"],
        ),
    ];
    for (files, arguments, said) in cases {
        let sandbox = Sandbox::new(files);
        let before = sandbox.files();
        sandbox.run("", arguments).refused(said);
        assert_eq!(sandbox.files(), before, "{arguments:?}");
        assert!(fs::read_dir(sandbox.path("")).unwrap().count() <= files.len(), "{arguments:?} left something");
    }
}

#[test]
fn a_manifest_that_is_no_text_is_named() {
    let sandbox = Sandbox::new(&[]);
    fs::write(sandbox.path("Cargo.toml"), b"[workspace]\n# \xff\n").unwrap();
    sandbox.run("", &["new", "orders"]).refused(&["cannot read", "Cargo.toml`: stream did not contain valid UTF-8"]);
}

#[test]
fn once_cargo_has_locked_the_chassis_the_lock_is_kept_complete() {
    let sandbox = Sandbox::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"theirs\"]\nresolver = \"2\"\n"),
        ("Cargo.lock", "version = 4\n"),
        ("theirs/Cargo.toml", THEIRS),
        ("theirs/lib.rs", ""),
    ]);
    let run = sandbox.run("", &["new", "orders"]).ok();
    assert!(run.stderr.contains("Cargo.lock is completed by the next `cargo build`"), "{}", run.stderr);
    members(&sandbox, "", &[]);
    let run = sandbox.run("", &["new", "billing"]).ok();
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert_eq!(members(&sandbox, "", &["--locked"]), ["billing", "chassis", "orders", "theirs"]);
}

/// What a later service asks for that no earlier one did comes with it, and nothing that is there is touched.
#[test]
fn a_later_service_brings_the_crates_that_it_needs() {
    let sandbox = Sandbox::new(&[]);
    let bare = ["--store", "none", "--auth", "none"];
    sandbox.run("", &[&["new", "orders", "--workspace", "shop"][..], &bare].concat()).ok();
    let before = sandbox.files();
    assert!(!before.keys().any(|path| path.contains("chassis-sqlite")));
    let run = sandbox.run("shop", &["new", "stock"]).ok();
    assert!(run.stderr.contains("Created crates/chassis-") && run.stderr.contains("chassis-sqlite"), "{}", run.stderr);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    for (path, text) in before.iter().filter(|(path, _)| !path.contains(".git/")) {
        let now = sandbox.text(path);
        let may_grow = ["shop/Cargo.toml", "shop/Cargo.lock", "shop/README.md", "shop/compose.yaml"].contains(&path.as_str());
        assert!(now == *text || may_grow && is_kept(text, &now), "{path} is\n{now}");
    }
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "orders", "stock"]);
    // A third one like it needs nothing more.
    let run = sandbox.run("shop", &["new", "prices"]).ok();
    assert!(!run.stderr.contains("Created crates"), "{}", run.stderr);
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "orders", "prices", "stock"]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let elsewhere = Sandbox::new(&[]);
    let sandbox = Sandbox::new(&[("Cargo.toml", "[workspace]\nmembers = []\n")]);
    std::os::unix::fs::symlink(elsewhere.path(""), sandbox.path("services")).unwrap();
    sandbox.run("", &["new", "orders"]).refused(&["`services` is a symbolic link"]);
    assert!(elsewhere.files().is_empty());
    assert_eq!(sandbox.text("Cargo.toml"), "[workspace]\nmembers = []\n");
}

#[test]
fn an_excluded_directory_may_hold_a_workspace_of_its_own() {
    let sandbox = Sandbox::new(&[("Cargo.toml", "[workspace]\nmembers = []\nexclude = [\"other\"]\n"), ("other/readme", "")]);
    sandbox.run("other", &["new", "orders"]).ok();
    assert!(sandbox.path("other/orders/services/orders/Cargo.toml").exists());
    sandbox.run("", &["new", "billing", "--workspace", "other/second"]).ok();
    assert!(sandbox.path("other/second/services/billing/Cargo.toml").exists());
    // Inside a nested workspace, that one grows.
    sandbox.run("other/orders/crates", &["new", "inventory"]).ok();
    assert!(sandbox.path("other/orders/services/inventory/Cargo.toml").exists());
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_workspace_or_the_new_one() {
    let start = || {
        let sandbox = Sandbox::new(&[]);
        sandbox.run("", &["new", "orders", "--workspace", "shop", "--quiet"]).ok();
        sandbox
    };
    let kill_after = |delay: Duration| {
        let sandbox = start();
        let before = Instant::now();
        let mut child = sandbox.command("shop", &["new", "billing", "--path", "apps/billing", "--quiet"]).spawn().unwrap();
        while before.elapsed() < delay && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        (sandbox, before.elapsed())
    };
    let old = start().files();
    let (finished, whole) = kill_after(Duration::from_secs(60));
    let new = finished.files();
    assert!(new.contains_key("shop/apps/billing/Cargo.toml"));

    const KILLS: u32 = 40;
    let mut kept = 0;
    for kill in 0..KILLS {
        let (sandbox, _) = kill_after(whole * kill / KILLS);
        let was_interrupted = interrupted(&sandbox.path("shop"));
        if was_interrupted {
            sandbox.run("shop", &["new", "x", "--dry-run"]).refused(&["an earlier run was killed", "completes that write first"]);
            // Whatever is in place, Cargo can work with.
            members(&sandbox, "shop", &["--no-deps"]);
        }
        recover(&sandbox.path("shop")).unwrap();
        let now = sandbox.files();
        assert!(now == new || (now == old && !was_interrupted), "kill {kill}: {:?}", now.keys());
        kept += u32::from(now == old);
    }
    assert!(kept > 0, "no kill came early enough to test anything");
}

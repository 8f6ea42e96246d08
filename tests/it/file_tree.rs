//! The writer of planned files, against a real disk and real kills.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cargo_msvc::file_tree::{Differences, FileTree, Reason, WriteError, interrupted, recover};

/// Every file below `root` with its text; a directory that is empty is not seen.
fn files(root: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            (path, fs::read_to_string(entry.path()).unwrap_or_default())
        })
        .collect()
}

fn tree(new: &[(&str, &str)]) -> FileTree {
    let mut tree = FileTree::default();
    for (path, text) in new {
        tree.create(*path, *text);
    }
    tree
}

#[test]
fn a_new_directory_appears_whole() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("deep/shop");
    let mut plan = tree(&[("Cargo.toml", "a\n"), ("src/main.rs", "b\n")]);
    plan.create("run", "#!/bin/sh\n");
    assert_eq!(plan.write(&root).unwrap(), ["Cargo.toml", "run", "src/main.rs"]);
    assert_eq!(files(temp.path()).keys().collect::<Vec<_>>(), ["deep/shop/Cargo.toml", "deep/shop/run", "deep/shop/src/main.rs"]);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    fs::write(root.join("there"), "x").unwrap();
    fs::write(root.join("edited"), "theirs").unwrap();
    fs::create_dir(root.join("real")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/tmp", root.join("out")).unwrap();
        std::os::unix::fs::symlink("real", root.join("within")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    }
    let before = files(root);

    let mut plan = tree(&[
        ("dangling", ""),
        ("fine", ""),
        ("out/file", ""),
        ("real", ""),
        ("there", ""),
        ("there/below", ""),
        ("within/file", ""),
        ("../above", ""),
        ("/absolute", ""),
        ("a/../b", ""),
    ]);
    plan.replace("edited", "old", "new");
    plan.replace("gone", "old", "new");
    let conflicts = plan.conflicts(root);
    let seen: Vec<_> = conflicts.iter().map(|c| (c.path.as_str(), c.reason.clone())).collect();
    assert_eq!(
        seen,
        [
            ("/absolute", Reason::Outside),
            ("../above", Reason::Outside),
            ("a/../b", Reason::Outside),
            ("dangling", Reason::Link("dangling".into())),
            ("edited", Reason::Changed),
            ("gone", Reason::Gone),
            ("out/file", Reason::Link("out".into())),
            ("real", Reason::Exists),
            ("there", Reason::Exists),
            ("there/below", Reason::NotADirectory("there".into())),
            ("within/file", Reason::Link("within".into())),
        ]
    );
    let error = plan.write(root).unwrap_err();
    assert!(error.to_string().contains("\n  there already exists\n"), "{error}");
    assert_eq!(files(root), before);
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let temp = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(temp.path().join(name)).unwrap().permissions().mode() & 0o777;
    for (name, bits) in [("private", 0o600), ("script", 0o750)] {
        fs::write(temp.path().join(name), "old").unwrap();
        fs::set_permissions(temp.path().join(name), fs::Permissions::from_mode(bits)).unwrap();
    }
    let mut plan = tree(&[("plain", "")]);
    plan.replace("private", "old", "new");
    plan.replace("script", "old", "new");
    plan.write(temp.path()).unwrap();
    assert_eq!([mode("private"), mode("script")], [0o600, 0o750]);
    assert_eq!(mode("plain") & 0o111, 0);
}

#[test]
fn a_directory_that_cannot_be_written_says_so() {
    // Not even root creates files there.
    let error = tree(&[("file", "")]).write(Path::new("/proc/self")).unwrap_err();
    assert!(matches!(error, WriteError::Io { .. }), "{error:?}");
    assert_eq!(error.to_string(), "nothing was written: cannot create `/proc/self/.cargo-msvc-staging`");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn the_diff_is_one_that_git_applies() {
    let temp = tempfile::tempdir().unwrap();
    let old: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    let new = old.replace("line 3\n", "line three\nand more\n").replace("line 28\n", "").trim_end().to_owned();
    fs::write(temp.path().join("changed"), &old).unwrap();
    fs::write(temp.path().join("same"), "same\n").unwrap();
    let mut plan = tree(&[("sub/created", "one\ntwo\n")]);
    plan.replace("changed", old, new);
    plan.replace("same", "same\n", "same\n");

    colored::control::set_override(false);
    let diff = plan.diff();
    colored::control::unset_override();
    assert!(!diff.contains("same"), "{diff}");
    fs::write(temp.path().join("patch"), &diff).unwrap();
    let applied = Command::new("git").args(["apply", "patch"]).current_dir(temp.path()).status().unwrap();
    assert!(applied.success(), "{diff}");
    fs::remove_file(temp.path().join("patch")).unwrap();
    for (path, file) in plan.iter() {
        assert_eq!(fs::read(temp.path().join(path)).unwrap(), file.contents, "{path}");
    }
}

#[test]
fn comparing_finds_what_is_missing_different_and_extra() {
    let temp = tempfile::tempdir().unwrap();
    let plan = tree(&[("deploy/a.yaml", "a"), ("deploy/b.yaml", "b"), ("deploy/c/d.yaml", "d")]);
    plan.write(temp.path()).unwrap();
    let managed = ["deploy".into(), "not-there".into()];
    assert!(plan.compare(temp.path(), &managed).unwrap().is_empty());

    fs::remove_file(temp.path().join("deploy/a.yaml")).unwrap();
    fs::write(temp.path().join("deploy/b.yaml"), "edited").unwrap();
    fs::write(temp.path().join("deploy/c/extra.yaml"), "").unwrap();
    fs::write(temp.path().join("mine"), "").unwrap();
    let expected = Differences {
        missing: vec!["deploy/a.yaml".into()],
        different: vec![("deploy/b.yaml".into(), b"edited".to_vec())],
        extra: vec!["deploy/c/extra.yaml".into()],
    };
    assert_eq!(plan.compare(temp.path(), &managed).unwrap(), expected);

    assert_eq!(plan.over_existing(temp.path()).unwrap().write(temp.path()).unwrap(), ["deploy/a.yaml", "deploy/b.yaml"]);
}

const OLD: &[(&str, &str)] = &[("Cargo.lock", "old lock\n"), ("Cargo.toml", "old\n")];

/// Many files in several renames, so that a kill finds something to interrupt.
fn large_plan() -> FileTree {
    let mut plan = FileTree::default();
    for n in 0..20 {
        plan.create(format!("services/s{}/file{n}", n % 7), "text\n".repeat(500));
        plan.create(format!("top{n}"), "text\n");
    }
    for (path, old) in OLD {
        plan.replace(*path, *old, old.replace("old", "new"));
    }
    plan
}

const TARGET: &str = "CARGO_MSVC_TEST_WRITE_IN";

/// Not a test by itself: the process that the next test kills.
#[test]
fn child_that_writes() {
    let Some(root) = std::env::var_os(TARGET) else { return };
    println!("\nwriting");
    large_plan().write(Path::new(&root)).unwrap();
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_tree_or_the_new_one() {
    let old: BTreeMap<_, _> = OLD.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    let new: BTreeMap<_, _> =
        large_plan().iter().map(|(path, file)| (path.to_string(), String::from_utf8(file.contents.clone()).unwrap())).collect();

    // Runs the writer on a fresh old tree and kills it after a while.
    let run = |delay: Duration| {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in OLD {
            fs::write(temp.path().join(path), text).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "file_tree::child_that_writes", "--nocapture"])
            .env(TARGET, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "writing"));
        let start = Instant::now();
        while start.elapsed() < delay && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        (temp, start.elapsed())
    };
    let (finished, whole) = run(Duration::from_secs(60));
    assert_eq!(files(finished.path()), new);

    const KILLS: u32 = 50;
    let (mut kept, mut completed) = (0, 0);
    for kill in 0..KILLS {
        let (temp, _) = run(whole * kill / KILLS);
        let was_interrupted = interrupted(temp.path());
        if !was_interrupted {
            // No journal: what counts is wholly old or wholly new before anybody helps.
            let mut now = files(temp.path());
            now.retain(|path, _| !path.starts_with(".cargo-msvc-staging/"));
            assert!(now == old || now == new, "kill {kill}: {:?}", now.keys());
        }
        recover(temp.path()).unwrap();
        let now = files(temp.path());
        assert!(now == new || (now == old && !was_interrupted), "kill {kill}: {:?}", now.keys());
        kept += u32::from(now == old);
        completed += u32::from(was_interrupted);
    }
    println!("{KILLS} kills: {kept} left the old tree, {completed} in the middle were completed");
    assert!(kept > 0, "no kill came early enough to test anything");
}

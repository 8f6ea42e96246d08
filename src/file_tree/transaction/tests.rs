use super::*;

const OLD: &[(&str, &str)] = &[("Cargo.lock", "old lock\n"), ("Cargo.toml", "old\n"), ("src/lib.rs", "kept\n")];

fn old_tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in OLD {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// A new directory, a new file in an old directory and two changed files: four renames.
fn plan() -> FileTree {
    let mut tree = FileTree::default();
    tree.create("services/a/Cargo.toml", "a\n");
    tree.create("services/a/src/main.rs", "fn main() {}\n");
    tree.create("src/extra.rs", "extra\n");
    tree.replace("Cargo.toml", "old\n", "new\n");
    tree.replace("Cargo.lock", "old lock\n", "new lock\n");
    tree
}

/// Every file below `root`, the staging directory included.
fn files(root: &Path) -> BTreeMap<String, String> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

fn old() -> BTreeMap<String, String> {
    OLD.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

fn new() -> BTreeMap<String, String> {
    let mut files = old();
    files.extend(plan().iter().map(|(path, file)| (path.to_string(), String::from_utf8(file.contents.clone()).unwrap())));
    files
}

/// Stops like a killed process: after the journal and `steps` renames.
fn die_after(root: &Path, steps: usize) {
    let mut transaction = Transaction::begin(root).unwrap();
    transaction.stage(&plan(), Utf8Path::new("")).unwrap();
    transaction.write_journal().unwrap();
    for n in 0..steps {
        put_in_place(root, &transaction.staging, n, &transaction.steps[n]).unwrap();
    }
    transaction.keep = true;
}

#[test]
fn the_next_run_completes_every_prefix_of_the_steps() {
    for steps in 0..=4 {
        let directory = old_tree();
        die_after(directory.path(), steps);
        assert!(interrupted(directory.path()));
        let completed = recover(directory.path()).unwrap();
        assert_eq!(completed.len(), 4 - steps);
        assert_eq!(files(directory.path()), new(), "killed after {steps} steps");
        assert!(!interrupted(directory.path()));
    }
}

#[test]
fn new_files_come_before_changed_ones_and_wishes_before_both() {
    let directory = old_tree();
    let order = |tree: &FileTree| -> Vec<String> {
        let transaction = Transaction::begin(directory.path()).unwrap();
        transaction.plan(tree, Utf8Path::new("")).into_iter().map(|(step, _)| step.to.to_string()).collect()
    };
    assert_eq!(order(&plan()), ["services", "src/extra.rs", "Cargo.lock", "Cargo.toml"]);
    let mut tree = plan();
    tree.put_first(["Cargo.toml".into(), "services/a".into()]);
    assert_eq!(order(&tree), ["Cargo.toml", "services", "src/extra.rs", "Cargo.lock"]);
}

#[test]
fn a_kill_before_the_journal_leaves_the_old_tree() {
    let directory = old_tree();
    let mut transaction = Transaction::begin(directory.path()).unwrap();
    transaction.stage(&plan(), Utf8Path::new("")).unwrap();
    transaction.keep = true;
    drop(transaction);
    assert!(!interrupted(directory.path()));
    assert_eq!(recover(directory.path()).unwrap(), Vec::<Utf8PathBuf>::new());
    assert_eq!(files(directory.path()), old());
}

#[test]
fn a_kill_between_link_and_unlink_is_a_done_step() {
    let directory = old_tree();
    die_after(directory.path(), 1);
    fs::hard_link(new_path(&directory.path().join(STAGING), 1), directory.path().join("src/extra.rs")).unwrap();
    recover(directory.path()).unwrap();
    assert_eq!(files(directory.path()), new());
}

#[test]
fn what_a_person_edited_after_a_kill_is_never_overwritten() {
    let directory = old_tree();
    die_after(directory.path(), 2);
    fs::write(directory.path().join("Cargo.toml"), "mine\n").unwrap();
    let error = recover(directory.path()).unwrap_err();
    assert!(error.to_string().ends_with("these have changed since: `Cargo.toml`"), "{error}");
    assert_eq!(fs::read_to_string(directory.path().join("Cargo.toml")).unwrap(), "mine\n");
    // Nothing else is written here before that is settled.
    assert!(matches!(plan_of("other").write(directory.path()), Err(WriteError::Interrupted { .. })));
    fs::remove_dir_all(directory.path().join(STAGING)).unwrap();
    plan_of("other").write(directory.path()).unwrap();
}

fn plan_of(path: &str) -> FileTree {
    let mut tree = FileTree::default();
    tree.create(path, "x");
    tree
}

#[test]
fn a_failing_step_takes_back_those_before_it() {
    for failing in 0..4 {
        let directory = old_tree();
        let mut transaction = Transaction::begin(directory.path()).unwrap();
        transaction.stage(&plan(), Utf8Path::new("")).unwrap();
        // Its staged file is gone, so the rename fails.
        let staged = new_path(&transaction.staging, failing);
        if staged.is_dir() {
            fs::remove_dir_all(staged).unwrap()
        } else {
            fs::remove_file(staged).unwrap()
        }
        let error = transaction.commit().unwrap_err();
        assert!(error.to_string().starts_with("nothing was written: cannot put in place"), "{error}");
        assert_eq!(files(directory.path()), old(), "step {failing} failed");
    }
}

#[test]
fn one_writer_at_a_time() {
    let directory = old_tree();
    let first = Transaction::begin(directory.path()).unwrap();
    let start = Instant::now();
    assert!(matches!(plan().write(directory.path()), Err(WriteError::Busy(_))));
    assert!(start.elapsed() >= LOCK_PATIENCE);
    drop(first);
    plan().write(directory.path()).unwrap();
    assert_eq!(files(directory.path()), new());
}

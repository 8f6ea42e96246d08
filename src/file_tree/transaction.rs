//! Writes a [`FileTree`] all or nothing.
//!
//! Everything is first written and synced beside its target, in [`STAGING`]. What can be put in place by one rename (a
//! whole new directory) is: that is atomic. Where several renames are needed (a new service directory and a changed
//! `Cargo.toml`), a journal is written first; its own rename is the moment of decision. From then on each step is one
//! rename, and whether a step is done shows on disk: its staged file is gone. A process killed before the journal
//! stands has changed nothing; one killed after it has changed a prefix of the steps, and the next run that writes here
//! does the rest ([`recover`]). An error instead of a kill takes the steps back at once.
//!
//! One process at a time: the directory itself is locked (`flock`), which the system undoes when the process dies.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tempfile::TempPath;

use super::{FileTree, PlannedFile, WriteError, is_absent};

/// Where files stand until they are put in place. Gone after every run that was not killed.
pub const STAGING: &str = ".cargo-msvc-staging";
const JOURNAL: &str = "journal.json";
/// How long to wait for another process that writes in the same directory.
const LOCK_PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 5000 });

/// One rename: `new/<n>` to `to`, where n counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    to: Utf8PathBuf,
    /// Whether a file stands at `to`, a copy of which is kept as `old/<n>`.
    replaces: bool,
}

/// The steps of one write, in order; version 1 of the format.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    version: u32,
    steps: Vec<Step>,
}

/// Renames that belong together, staged in one directory. Dropping it removes what was staged.
struct Transaction {
    anchor: PathBuf,
    staging: PathBuf,
    steps: Vec<Step>,
    /// Leave the staging directory alone when dropped: the journal in it is still needed.
    keep: bool,
    _lock: File,
}

pub(super) fn write(tree: &FileTree, root: &Path) -> Result<Vec<Utf8PathBuf>, WriteError> {
    let conflicts = tree.conflicts(root);
    if !conflicts.is_empty() {
        return Err(WriteError::Conflicts(conflicts));
    }
    let changed: Vec<_> = tree.changes().map(|(path, _)| path.to_owned()).collect();
    if changed.is_empty() {
        return Ok(changed);
    }
    let (anchor, below) = anchor(root)?;
    let mut transaction = Transaction::begin(&anchor)?;
    // Only now does nobody else write here.
    let conflicts = tree.conflicts(root);
    if !conflicts.is_empty() {
        return Err(WriteError::Conflicts(conflicts));
    }
    transaction.stage(tree, &below)?;
    transaction.commit()?;
    Ok(changed)
}

/// Completes what an earlier, killed run left half done in `root`, and removes its leftovers. Returns the paths put in
/// place; empty when there was nothing to complete. Call it before reading files that a plan will replace.
///
/// # Errors
/// When the disk refuses, another process writes there, or a file that is still to be replaced has changed since.
pub fn recover(root: &Path) -> Result<Vec<Utf8PathBuf>, WriteError> {
    if !root.join(STAGING).exists() {
        return Ok(Vec::new());
    }
    let lock = lock(root)?;
    complete(root, &lock)
}

/// Whether a killed run left a write half done in `root`.
pub fn interrupted(root: &Path) -> bool {
    root.join(STAGING).join(JOURNAL).exists()
}

/// The deepest directory of `root` that exists, and the rest of the path.
fn anchor(root: &Path) -> Result<(PathBuf, Utf8PathBuf), WriteError> {
    let absolute = std::path::absolute(root).map_err(|source| failed("find", root, source))?;
    let existing = absolute.ancestors().find(|path| path.is_dir()).unwrap_or(&absolute);
    let below = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
    let below = Utf8Path::from_path(below)
        .ok_or_else(|| failed("create", root, io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8")))?;
    Ok((existing.to_owned(), below.to_owned()))
}

fn lock(anchor: &Path) -> Result<File, WriteError> {
    let directory = File::open(anchor).map_err(|source| failed("open", anchor, source))?;
    let start = Instant::now();
    loop {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => return Err(WriteError::Busy(anchor.to_owned())),
            // Some network file systems lock no directories; go on without.
            Err(TryLockError::Error(_)) => return Ok(directory),
        }
    }
}

/// [`recover`], once the lock is held.
fn complete(anchor: &Path, _lock: &File) -> Result<Vec<Utf8PathBuf>, WriteError> {
    let staging = anchor.join(STAGING);
    let journal = match fs::read(staging.join(JOURNAL)) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => {
            remove(&staging)?;
            return Ok(Vec::new());
        }
        Err(source) => return Err(failed("read", &staging.join(JOURNAL), source)),
    };
    let journal: Journal =
        serde_json::from_slice(&journal).map_err(|error| failed("read", &staging.join(JOURNAL), error.into()))?;
    let pending: Vec<_> =
        journal.steps.iter().enumerate().filter(|(n, _)| fs::symlink_metadata(new_path(&staging, *n)).is_ok()).collect();
    let changed: Vec<_> =
        pending.iter().filter(|(n, step)| !as_left(anchor, &staging, *n, step)).map(|(_, step)| step.to.clone()).collect();
    if !changed.is_empty() {
        return Err(WriteError::Interrupted { anchor: anchor.to_owned(), staging, paths: changed });
    }
    for (n, step) in &pending {
        put_in_place(anchor, &staging, *n, step)?;
    }
    sync_parents(anchor, &journal.steps)?;
    remove(&staging)?;
    Ok(pending.into_iter().map(|(_, step)| step.to.clone()).collect())
}

/// Whether the target of a step that is still to be done looks as it did when the journal was written.
fn as_left(anchor: &Path, staging: &Path, n: usize, step: &Step) -> bool {
    let target = anchor.join(&step.to);
    let same = |other: PathBuf| matches!((fs::read(&target), fs::read(other)), (Ok(a), Ok(b)) if a == b);
    if step.replaces {
        same(old_path(staging, n))
    } else {
        // A file can be linked into place and its staged name not yet be gone.
        fs::symlink_metadata(&target).is_err() || same(new_path(staging, n))
    }
}

fn put_in_place(anchor: &Path, staging: &Path, n: usize, step: &Step) -> Result<(), WriteError> {
    let (new, target) = (new_path(staging, n), anchor.join(&step.to));
    let result = if step.replaces || new.is_dir() { fs::rename(&new, &target) } else { link_in_place(&new, &target) };
    result.map_err(|source| failed("put in place", &target, source))
}

/// Unlike a rename, this never overwrites a file that has appeared meanwhile.
fn link_in_place(new: &Path, target: &Path) -> io::Result<()> {
    let mut staged = TempPath::try_from_path(new)?;
    staged.disable_cleanup(true);
    staged.persist_noclobber(target).or_else(|error| {
        // A process can die between the link to the target and the removal of the staged name.
        let linked_before = matches!((fs::read(new), fs::read(target)), (Ok(a), Ok(b)) if a == b);
        if linked_before { fs::remove_file(new) } else { Err(error.error) }
    })
}

fn take_back(anchor: &Path, staging: &Path, n: usize, step: &Step) -> io::Result<()> {
    let target = anchor.join(&step.to);
    if step.replaces { fs::rename(old_path(staging, n), target) } else { fs::rename(target, new_path(staging, n)) }
}

fn new_path(staging: &Path, n: usize) -> PathBuf {
    staging.join("new").join(n.to_string())
}

fn old_path(staging: &Path, n: usize) -> PathBuf {
    staging.join("old").join(n.to_string())
}

impl Transaction {
    /// Locks `anchor`, completes what an earlier run left there and makes an empty staging directory.
    fn begin(anchor: &Path) -> Result<Self, WriteError> {
        let lock = lock(anchor)?;
        complete(anchor, &lock)?;
        let staging = anchor.join(STAGING);
        fs::create_dir(&staging).map_err(|source| failed("create", &staging, source))?;
        let transaction = Self { anchor: anchor.to_owned(), staging, steps: Vec::new(), keep: false, _lock: lock };
        for directory in ["new", "old"] {
            let path = transaction.staging.join(directory);
            fs::create_dir(&path).map_err(|source| failed("create", &path, source))?;
        }
        Ok(transaction)
    }

    /// Writes and syncs every changed file below the staging directory, and works out the steps.
    fn stage(&mut self, tree: &FileTree, below: &Utf8Path) -> Result<(), WriteError> {
        let steps = self.plan(tree, below);
        for (n, (step, files)) in steps.iter().enumerate() {
            let new = new_path(&self.staging, n);
            for (path, file) in files {
                let inner = path.strip_prefix(&step.to).unwrap_or(Utf8Path::new(""));
                let staged = if inner.as_str().is_empty() { new.clone() } else { new.join(inner) };
                self.stage_file(&staged, &step.to, n, file)?;
            }
        }
        self.steps = steps.into_iter().map(|(step, _)| step).collect();
        // After all are written: the first call then carries most of the others' work.
        sync_all(&self.staging).map_err(|source| failed("sync", &self.staging, source))
    }

    /// The changed files by the step that puts them in place, in order.
    fn plan<'t>(&self, tree: &'t FileTree, below: &Utf8Path) -> Vec<(Step, Vec<(Utf8PathBuf, &'t PlannedFile)>)> {
        let mut steps: BTreeMap<Utf8PathBuf, Vec<_>> = BTreeMap::new();
        for (path, file) in tree.changes() {
            let path = below.join(path);
            let ancestors: Vec<_> = path.ancestors().filter(|ancestor| !ancestor.as_str().is_empty()).collect();
            let absent = ancestors.iter().rev().find(|ancestor| !self.anchor.join(ancestor).exists());
            let to = absent.map_or(path.clone(), |ancestor| ancestor.to_path_buf());
            steps.entry(to).or_default().push((path, file));
        }
        let mut steps: Vec<_> = steps
            .into_iter()
            .map(|(to, files)| (Step { to, replaces: files.iter().any(|(_, file)| file.replaces.is_some()) }, files))
            .collect();
        let wish = |step: &Step| {
            let position = tree
                .first
                .iter()
                .map(|path| below.join(path))
                .position(|path| path.starts_with(&step.to) || step.to.starts_with(&path));
            position.unwrap_or(usize::MAX)
        };
        // Stable: path order within.
        steps.sort_by_key(|(step, _)| (wish(step), step.replaces));
        steps
    }

    fn stage_file(&self, staged: &Path, to: &Utf8Path, n: usize, file: &PlannedFile) -> Result<(), WriteError> {
        let parent = staged.parent().unwrap_or(&self.staging);
        fs::create_dir_all(parent).map_err(|source| failed("create", parent, source))?;
        let write = |path: &Path, contents: &[u8]| {
            create(path, contents, file.executable).map_err(|source| failed("write", path, source))
        };
        write(staged, &file.contents)?;
        if let Some(old) = &file.replaces {
            let target = self.anchor.join(to);
            let permissions = fs::metadata(&target).map_err(|source| failed("read", &target, source))?.permissions();
            let old_copy = old_path(&self.staging, n);
            write(&old_copy, old)?;
            for path in [staged, &old_copy] {
                fs::set_permissions(path, permissions.clone()).map_err(|source| failed("write", path, source))?;
            }
        }
        Ok(())
    }

    /// Puts everything in place.
    fn commit(mut self) -> Result<(), WriteError> {
        if self.steps.len() > 1 {
            self.write_journal()?;
        }
        for n in 0..self.steps.len() {
            if let Err(error) = put_in_place(&self.anchor, &self.staging, n, &self.steps[n]) {
                return Err(self.roll_back(n, error));
            }
        }
        // All is in place: a failure from here on does not unmake that, the next run only tidies up.
        let _ = sync_parents(&self.anchor, &self.steps);
        Ok(())
    }

    /// After this the steps will be done, if not by this process then by the next.
    fn write_journal(&self) -> Result<(), WriteError> {
        let (draft, journal) = (self.staging.join("journal.draft"), self.staging.join(JOURNAL));
        let text = serde_json::to_vec_pretty(&Journal { version: 1, steps: self.steps.clone() });
        text.map_err(io::Error::from)
            .and_then(|text| create(&draft, &text, false)?.sync_all())
            .and_then(|()| fs::rename(&draft, &journal))
            .and_then(|()| sync_directory(&self.staging))
            .map_err(|source| failed("write", &journal, source))
    }

    /// Undoes the first `done` steps, last first, because of `error`.
    fn roll_back(&mut self, done: usize, error: WriteError) -> WriteError {
        for n in (0..done).rev() {
            if let Err(source) = take_back(&self.anchor, &self.staging, n, &self.steps[n]) {
                self.keep = true;
                return WriteError::HalfDone { path: self.anchor.join(&self.steps[n].to), source, cause: Box::new(error) };
            }
        }
        error
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.keep {
            // A leftover is harmless: the next run removes it.
            let _ = remove(&self.staging);
        }
    }
}

/// Removes a staging directory. The journal goes first, while all that it names is done or taken back.
fn remove(staging: &Path) -> Result<(), WriteError> {
    match fs::remove_file(staging.join(JOURNAL)) {
        Err(error) if !is_absent(&error) => return Err(failed("remove", &staging.join(JOURNAL), error)),
        _ => {}
    }
    match fs::remove_dir_all(staging) {
        Err(error) if !is_absent(&error) => Err(failed("remove", staging, error)),
        _ => Ok(()),
    }
}

fn create(path: &Path, contents: &[u8], executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o777 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = executable;
    let mut file = options.open(path)?;
    file.write_all(contents)?;
    Ok(file)
}

/// Makes the contents of every file below `top`, and the names in every directory, last. Waiting for the disk is all
/// there is to it, so many threads wait at once: a journaling file system then serves them together.
fn sync_all(top: &Path) -> io::Result<()> {
    const THREADS: usize = 32;
    let paths = walkdir::WalkDir::new(top)
        .into_iter()
        .map(|entry| entry.map(|entry| (entry.file_type().is_dir(), entry.into_path())))
        .collect::<Result<Vec<_>, _>>()?;
    let sync = |paths: &[(bool, PathBuf)]| {
        paths.iter().try_for_each(|(is_dir, path)| if *is_dir { sync_directory(path) } else { sync_file(path) })
    };
    std::thread::scope(|scope| {
        let share = paths.len().div_ceil(THREADS).max(1);
        let threads: Vec<_> = paths.chunks(share).map(|paths| scope.spawn(move || sync(paths))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("syncing does not panic"))
    })
}

fn sync_file(path: &Path) -> io::Result<()> {
    // Windows flushes only what is open for writing; elsewhere the file may be read-only by now.
    OpenOptions::new().read(true).write(cfg!(windows)).open(path)?.sync_all()
}

fn sync_parents(anchor: &Path, steps: &[Step]) -> Result<(), WriteError> {
    for step in steps {
        let target = anchor.join(&step.to);
        let parent = target.parent().unwrap_or(anchor);
        sync_directory(parent).map_err(|source| failed("sync", parent, source))?;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> WriteError {
    WriteError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;

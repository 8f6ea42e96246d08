//! Planned files: every command that changes the disk first builds a [`FileTree`], and this module alone writes it.
//!
//! - [`FileTree::conflicts`]: why it cannot be written now.
//! - [`FileTree::write`]: all or nothing, also when the process is killed (see [`transaction`]).
//! - [`FileTree::diff`]: shows it instead.
//! - [`FileTree::compare`]: how the disk differs from it.

mod compare;
mod diff;
mod transaction;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Component, Utf8Path, Utf8PathBuf};

pub use compare::Differences;
pub use transaction::{STAGING, interrupted, recover};

/// Files to be, by path relative to the directory they are planned for. In path order, so output is deterministic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    files: BTreeMap<Utf8PathBuf, PlannedFile>,
    first: Vec<Utf8PathBuf>,
}

/// One file to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    pub contents: Vec<u8>,
    pub executable: bool,
    /// What the file must hold now: `None` when it must not exist yet. Anything else found there is a conflict.
    pub replaces: Option<Vec<u8>>,
}

/// Why one planned file cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// As planned.
    pub path: Utf8PathBuf,
    pub reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("already exists")]
    Exists,
    #[error("changed since it was read")]
    Changed,
    #[error("was deleted since it was read")]
    Gone,
    #[error("`{0}` is a file, not a directory")]
    NotADirectory(Utf8PathBuf),
    #[error("`{0}` is a symbolic link, and files are not written through links")]
    Link(Utf8PathBuf),
    #[error("leads out of the directory that is written")]
    Outside,
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum WriteError {
    #[error("nothing was written: {}", conflict_list(.0))]
    #[diagnostic(help("{}", conflict_help(.0)))]
    Conflicts(Vec<Conflict>),
    #[error("nothing was written: cannot {action} `{}`", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("nothing was written: another cargo-msvc is writing in `{}`", .0.display())]
    #[diagnostic(help("wait for it to end, then run the command again"))]
    Busy(PathBuf),
    /// A step failed, and so did undoing those before it.
    #[error("a part was written: {cause}; and `{}` could not be taken back", .path.display())]
    #[diagnostic(help("the journal is kept: run the command again, which first completes what is missing"))]
    HalfDone { path: PathBuf, source: io::Error, cause: Box<WriteError> },
    /// An earlier run was killed in the middle and somebody has edited the same files since.
    #[error(
        "an earlier run was killed while it wrote in `{}`, and these have changed since: {}",
        .anchor.display(),
        .paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
    )]
    #[diagnostic(help(
        "their planned texts, numbered as in journal.json, are in `{}`: take over what you want, then delete that directory",
        .staging.display()
    ))]
    Interrupted { anchor: PathBuf, staging: PathBuf, paths: Vec<Utf8PathBuf> },
}

fn conflict_help(conflicts: &[Conflict]) -> &'static str {
    if conflicts.iter().any(|conflict| matches!(conflict.reason, Reason::Changed | Reason::Gone)) {
        "somebody else writes here: run the command again, which reads the files anew"
    } else {
        "nothing that exists is overwritten: move these away, or choose another place"
    }
}

fn conflict_list(conflicts: &[Conflict]) -> String {
    const SHOWN: usize = 20;
    let mut text = conflicts.iter().take(SHOWN).map(|c| format!("\n  {} {}", c.path, c.reason)).collect::<String>();
    if conflicts.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", conflicts.len() - SHOWN));
    }
    text
}

impl FileTree {
    /// Plans a file that must not exist yet.
    pub fn create(&mut self, path: impl Into<Utf8PathBuf>, contents: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), PlannedFile { contents: contents.into(), executable: false, replaces: None });
    }

    /// Plans a new text for a file that now holds `old`.
    pub fn replace(&mut self, path: impl Into<Utf8PathBuf>, old: impl Into<Vec<u8>>, new: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), PlannedFile { contents: new.into(), executable: false, replaces: Some(old.into()) });
    }

    /// Takes over all of `other`, below `directory`.
    pub fn extend_at(&mut self, directory: &Utf8Path, other: FileTree) {
        self.files.extend(other.files.into_iter().map(|(path, file)| (directory.join(path), file)));
        self.first.extend(other.first.into_iter().map(|path| directory.join(path)));
    }

    /// Takes over what `later` plans for the time after this: a file that it replaces and this one makes is made at once as
    /// `later` has it.
    pub fn then(&mut self, later: FileTree) {
        for (path, file) in later.files {
            match self.files.get_mut(&path) {
                Some(planned) => planned.contents = file.contents,
                None => drop(self.files.insert(path, file)),
            }
        }
        self.first.extend(later.first);
    }

    /// Asks for these files and directories to be put in place before all others, in this order. Without a wish, new
    /// files come before changed ones. A process killed in the middle leaves a prefix of that order until the next
    /// run completes it: choose the order so that every prefix still works.
    pub fn put_first(&mut self, paths: impl IntoIterator<Item = Utf8PathBuf>) {
        self.first.extend(paths);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Utf8Path, &PlannedFile)> {
        self.files.iter().map(|(path, file)| (path.as_path(), file))
    }

    pub fn get(&self, path: impl AsRef<Utf8Path>) -> Option<&PlannedFile> {
        self.files.get(path.as_ref())
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Plans to overwrite: each file that exists under `root` is replaced instead of created. For files that a command
    /// owns; never for files that a person writes.
    pub fn over_existing(mut self, root: &Path) -> io::Result<FileTree> {
        for (path, file) in &mut self.files {
            match fs::read(root.join(path)) {
                Ok(now) => file.replaces = Some(now),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read `{path}`: {error}"))),
            }
        }
        Ok(self)
    }

    /// The files that writing would change: not those that already hold what they should.
    pub fn changes(&self) -> impl Iterator<Item = (&Utf8Path, &PlannedFile)> {
        self.iter().filter(|(_, file)| file.replaces.as_ref() != Some(&file.contents))
    }

    /// Everything under `root` that forbids writing this tree there, in path order.
    pub fn conflicts(&self, root: &Path) -> Vec<Conflict> {
        self.iter()
            .filter_map(|(path, file)| conflict(root, path, file).map(|reason| Conflict { path: path.to_owned(), reason }))
            .collect()
    }

    /// Writes all files under `root`, or none. A process killed at any moment leaves the old files or, once the next
    /// writing command has run (see [`recover`]), the new ones. Returns the paths that changed, in path order.
    ///
    /// # Errors
    /// When anything conflicts, another process writes there, or the disk refuses. The old files are then as before.
    pub fn write(&self, root: &Path) -> Result<Vec<Utf8PathBuf>, WriteError> {
        transaction::write(self, root)
    }
}

/// How the names of files begin that [`replace`] has not put in place yet.
pub const UNFINISHED: &str = ".cargo-msvc-";

/// Puts `contents` in place of the file at `path`, whole or not at all; makes its directories. For reports that a person names
/// a place for: what is no file there (a pipe, `/dev/stderr`) is written into, and a link is followed.
///
/// # Errors
/// When the disk refuses; a file that was there is then as before.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_no_file = fs::metadata(&path).is_ok_and(|now| !now.is_file() && !now.is_dir());
    // What a link leads to may not be there yet.
    if is_no_file || path.is_symlink() {
        return fs::OpenOptions::new().write(true).create(true).truncate(true).open(&path)?.write_all(contents);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    // As any program's new file; the person's umask has the last word.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(UNFINISHED).tempfile_in(parent)?;
    file.write_all(contents)?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}

/// Whether a path is one that [`FileTree::write`] may touch: relative, and without `..`.
fn is_inside(path: &Utf8Path) -> bool {
    path.components().all(|part| matches!(part, Utf8Component::Normal(_))) && path.file_name().is_some()
}

/// `NotFound`, or below something that is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn conflict(root: &Path, path: &Utf8Path, file: &PlannedFile) -> Option<Reason> {
    if !is_inside(path) {
        return Some(Reason::Outside);
    }
    for ancestor in path.ancestors().skip(1).filter(|ancestor| !ancestor.as_str().is_empty()) {
        match fs::symlink_metadata(root.join(ancestor)) {
            Ok(metadata) if metadata.is_symlink() => return Some(Reason::Link(ancestor.to_owned())),
            Ok(metadata) if !metadata.is_dir() => return Some(Reason::NotADirectory(ancestor.to_owned())),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Some(Reason::Unreadable(error.to_string())),
        }
    }
    match (fs::symlink_metadata(root.join(path)), &file.replaces) {
        (Ok(metadata), _) if metadata.is_symlink() => Some(Reason::Link(path.to_owned())),
        (Ok(_), None) => Some(Reason::Exists),
        (Ok(_), Some(old)) => match fs::read(root.join(path)) {
            Ok(now) => (now != *old).then_some(Reason::Changed),
            Err(error) => Some(Reason::Unreadable(error.to_string())),
        },
        (Err(error), replaces) if is_absent(&error) => replaces.is_some().then_some(Reason::Gone),
        (Err(error), _) => Some(Reason::Unreadable(error.to_string())),
    }
}

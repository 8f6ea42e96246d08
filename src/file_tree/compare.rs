//! How the disk differs from a plan.

use std::path::Path;
use std::{fs, io};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::{FileTree, is_absent};

/// How a directory differs from a [`FileTree`]; paths as planned, in path order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Planned, and not there.
    pub missing: Vec<Utf8PathBuf>,
    /// There, with other contents; the second is what is there.
    pub different: Vec<(Utf8PathBuf, Vec<u8>)>,
    /// There, below a managed path, and not planned.
    pub extra: Vec<Utf8PathBuf>,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty() && self.extra.is_empty()
    }
}

impl FileTree {
    /// Compares with what is under `root`. Files and directories in `managed` belong wholly to the plan: what is found
    /// there and not planned is extra. Links are not followed.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn compare(&self, root: &Path, managed: &[Utf8PathBuf]) -> io::Result<Differences> {
        let mut differences = Differences::default();
        for (path, file) in self.iter() {
            match fs::read(root.join(path)) {
                Ok(now) if now == file.contents => {}
                Ok(now) => differences.different.push((path.to_owned(), now)),
                Err(error) if is_absent(&error) => differences.missing.push(path.to_owned()),
                Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read `{path}`: {error}"))),
            }
        }
        for directory in managed {
            for entry in WalkDir::new(root.join(directory)).sort_by_file_name() {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) if error.depth() == 0 && error.io_error().is_some_and(is_absent) => continue,
                    Err(error) => return Err(error.into()),
                };
                let relative = entry.path().strip_prefix(root).ok().and_then(Utf8Path::from_path);
                match relative {
                    _ if entry.file_type().is_dir() => {}
                    Some(path) if self.get(path).is_some() => {}
                    Some(path) => differences.extra.push(path.to_owned()),
                    None => {
                        let path = entry.path().display();
                        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` is not UTF-8")));
                    }
                }
            }
        }
        differences.extra.sort();
        differences.extra.dedup();
        Ok(differences)
    }
}

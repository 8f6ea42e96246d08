//! Files, byte spans and how they become lines and columns.

use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// A file of the audited tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// Half-open byte range inside one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// A span in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    pub file: FileId,
    pub span: Span,
}

/// A value and where it stands in a file that the context names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// Line and column, both from 1; the column counts Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    pub line: u32,
    pub column: u32,
}

/// The files of one audited tree: paths relative to its root, `/` separated. Texts are not kept: they are read again
/// when a snippet is shown, so that memory does not grow with the tree.
#[derive(Debug, Default)]
pub struct Sources {
    root: PathBuf,
    paths: Vec<Utf8PathBuf>,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// As an index into the text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Location {
    pub fn new(file: FileId, span: Span) -> Self {
        Self { file, span }
    }

    /// The start of a file, for facts that have no better place.
    pub fn file(file: FileId) -> Self {
        Self { file, span: Span::default() }
    }
}

impl Sources {
    pub fn new(root: PathBuf) -> Self {
        Self { root, paths: Vec::new() }
    }

    /// Adds a file. The loader adds them in path order, which [`Sources::find`] relies on.
    pub fn add(&mut self, path: Utf8PathBuf) -> FileId {
        let id = FileId(u32::try_from(self.paths.len()).expect("fewer than 2^32 files"));
        self.paths.push(path);
        id
    }

    /// Absolute path of the audited root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Path relative to the root, `/` separated.
    pub fn path(&self, file: FileId) -> &Utf8Path {
        &self.paths[file.0 as usize]
    }

    /// Text of a file, read again from the disk: `None` when it is gone, or no UTF-8.
    pub fn text(&self, file: FileId) -> Option<String> {
        std::fs::read_to_string(self.root.join(self.path(file))).ok()
    }

    /// Every file, in path order.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Utf8Path)> {
        (0u32..).map(FileId).zip(self.paths.iter().map(Utf8PathBuf::as_path))
    }

    /// The file at a path relative to the root.
    pub fn find(&self, path: &Utf8Path) -> Option<FileId> {
        let at = self.paths.binary_search_by(|known| known.as_path().cmp(path)).ok()?;
        Some(FileId(u32::try_from(at).ok()?))
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// Where byte `offset` of `text` stands. An offset past the end, or inside a character, is moved back to the nearest
/// boundary, because the file may have changed since it was read.
pub fn line_column(text: &str, offset: u32) -> LineColumn {
    let mut offset = (offset as usize).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    LineColumn {
        line: u32::try_from(before.bytes().filter(|b| *b == b'\n').count() + 1).unwrap_or(u32::MAX),
        column: u32::try_from(before[line_start..].chars().count() + 1).unwrap_or(u32::MAX),
    }
}

/// Length of the `/* … */` that begins here, in Rust or SQL: they nest. All that is left where it does not end.
pub(super) fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

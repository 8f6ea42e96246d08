//! Module trees: `mod` declarations followed from a crate's root, as the compiler does.

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap as HashMap;

use super::{CrateId, Item, ModuleIndex, ModuleNode, Names, RustIndex};
use crate::workspace::Sources;
use crate::workspace::rust::{ModuleId, Name, RustFile};

/// Walks one crate's `mod` declarations from its root.
pub(super) struct Tree<'a> {
    pub sources: &'a Sources,
    pub by_path: &'a HashMap<&'a Utf8Path, RustIndex>,
    pub rust: &'a [RustFile],
    pub names: &'a mut Names,
    pub krate: CrateId,
    /// Files being walked: `#[path]` may form a loop.
    pub open: Vec<RustIndex>,
}

impl Tree<'_> {
    /// Adds a file as the module `name`; `directory` is where its child modules' files are.
    pub fn file(
        &mut self,
        name: Name,
        parent: Option<ModuleIndex>,
        file: RustIndex,
        directory: &Utf8Path,
        test: bool,
    ) -> Option<ModuleIndex> {
        if self.open.contains(&file) {
            return None;
        }
        self.open.push(file);
        let node = self.module(name, parent, file, ModuleId::root(), directory, test);
        self.open.pop();
        Some(node)
    }

    fn module(
        &mut self,
        name: Name,
        parent: Option<ModuleIndex>,
        file: RustIndex,
        module: ModuleId,
        directory: &Utf8Path,
        test: bool,
    ) -> ModuleIndex {
        let facts = &self.rust[file];
        let test = test || facts.modules[module.index()].test;
        let node = self.names.modules.len();
        self.names.modules.push(ModuleNode {
            krate: self.krate,
            name,
            parent,
            file,
            module,
            test,
            items: HashMap::default(),
            values: HashMap::default(),
            globs: Vec::new(),
            opened: Vec::new(),
            opened_outside: Vec::new(),
        });
        self.names.of_file.entry((file, module)).or_default().push(node);
        for (index, child) in facts.modules.iter().enumerate() {
            if child.parent != Some(module) {
                continue;
            }
            let added = if child.declared {
                let (path, inner) = match &child.path_attribute {
                    Some(attribute) => {
                        let path = self.attribute_path(file, module, directory, attribute);
                        let inner = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
                        (Some(path), inner)
                    }
                    None => {
                        let flat = directory.join(format!("{}.rs", child.name));
                        let nested = directory.join(&*child.name).join("mod.rs");
                        let is_there =
                            |path: &&Utf8PathBuf| self.by_path.contains_key(path.as_path()) || self.sources.find(path).is_some();
                        let path = [&flat, &nested].into_iter().find(is_there).cloned();
                        (path, directory.join(&*child.name))
                    }
                };
                let found = path.as_ref().and_then(|path| self.by_path.get(path.as_path()).copied());
                if let (None, Some(unread)) = (found, path.and_then(|path| self.sources.find(&path))) {
                    self.names.unread.push(unread);
                }
                found.and_then(|found| self.file(child.name, Some(node), found, &inner, test || child.test))
            } else {
                let inner = directory.join(&*child.name);
                Some(self.module(child.name, Some(node), file, ModuleId::new(index), &inner, test))
            };
            if let Some(added) = added {
                self.names.modules[node].items.insert(child.name, Item::Module(added));
            }
        }
        node
    }

    /// `#[path]` counts from the directory of the file; inside an inline module, from that module's directory.
    fn attribute_path(&self, file: RustIndex, module: ModuleId, directory: &Utf8Path, attribute: &str) -> Utf8PathBuf {
        let own = self.sources.path(self.rust[file].file).parent().unwrap_or(Utf8Path::new(""));
        normalise(&if module == ModuleId::root() { own } else { directory }.join(attribute))
    }
}

/// Takes out `.` and `..` without asking the disk.
fn normalise(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part.as_str() {
            "." => {}
            ".." if out.parent().is_some() => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

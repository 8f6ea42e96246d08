//! Following a path through items, imports, globs, aliases and re-exports.

use rustc_hash::FxHashSet as HashSet;

use super::{Definition, GLOB_ROUNDS, Item, MAX_STEPS, ModuleIndex, Names};
use crate::workspace::rust::{Name, RustFile, Segments, TypeKind};

impl Names {
    /// `ends`: whether the path ends what is asked for, and so may name a function that is called as a module is.
    pub(super) fn resolve_in(
        &self,
        rust: &[RustFile],
        module: ModuleIndex,
        path: &[Name],
        ends: bool,
        steps: &mut usize,
    ) -> Definition {
        let Some((first, rest)) = path.split_first() else { return Definition::Module(module) };
        let node = &self.modules[module];
        let start = match &**first {
            "crate" | "$crate" => Definition::Module(self.crates[node.krate].root),
            "self" => Definition::Module(module),
            "super" => node.parent.map_or(Definition::Unknown, Definition::Module),
            _ => match self.item(rust, module, *first, ends && rest.is_empty(), steps) {
                Definition::Unknown => self.outside(module, *first),
                found => found,
            },
        };
        match start {
            // What is imported by its name comes from nowhere else, even where it is not known.
            Definition::Unknown if matches!(node.items.get(first), Some(Item::Use(_))) => Definition::Unknown,
            Definition::Unknown => self.through_outside_glob(module, path),
            start => self.walk(rust, start, rest, ends, steps),
        }
    }

    fn walk(&self, rust: &[RustFile], start: Definition, rest: &[Name], ends: bool, steps: &mut usize) -> Definition {
        let Some((next, after)) = rest.split_first() else { return start };
        match start {
            Definition::External(path) => Definition::outside(path, rest),
            Definition::Module(module) => match &**next {
                "super" | "self" => self.resolve_in(rust, module, rest, ends, steps),
                _ => match self.item(rust, module, *next, ends && after.is_empty(), steps) {
                    Definition::Unknown => self.through_outside_glob(module, rest),
                    found => self.walk(rust, found, after, ends, steps),
                },
            },
            Definition::Type(ty) => {
                if let Some(method) = self.method(ty, *next) {
                    return Definition::Function(method);
                }
                match &ty.get(rust).kind {
                    // `type Http = reqwest::Client; Http::new()`
                    TypeKind::Alias(target) => {
                        let module = self.modules_of(ty.file(), ty.get(rust).module).first();
                        let (Some(&module), Some(left)) = (module, steps.checked_sub(1)) else { return Definition::Unknown };
                        *steps = left;
                        let full: Vec<Name> = target.path.iter().chain(rest).copied().collect();
                        self.resolve_in(rust, module, &full, ends, steps)
                    }
                    _ => Definition::Other,
                }
            }
            _ => Definition::Other,
        }
    }

    /// A name that the module declares, imports, or opens by a glob, as far as the workspace shows it.
    fn item(&self, rust: &[RustFile], module: ModuleIndex, name: Name, ends: bool, steps: &mut usize) -> Definition {
        for at in std::iter::once(module).chain(self.modules[module].opened.iter().copied()) {
            let node = &self.modules[at];
            let found = match node.values.get(&name).filter(|_| ends).or_else(|| node.items.get(&name)) {
                Some(Item::Module(module)) => Definition::Module(*module),
                // `fn rocket()` beside `rocket::build()`: a function is no part of a path.
                Some(Item::Function(_)) if !ends => continue,
                Some(Item::Function(function)) => Definition::Function(*function),
                Some(Item::Type(ty)) => Definition::Type(*ty),
                Some(Item::Constant) => Definition::Other,
                Some(Item::Use(path)) => self.import(rust, at, name, path, ends, steps),
                None => continue,
            };
            if found != Definition::Unknown {
                return found;
            }
        }
        Definition::Unknown
    }

    /// The target of `use path` (as `name`). The first segment most often is a crate, which the name being imported must
    /// not hide: `use tokio;`, `use reqwest as tokio;`.
    fn import(
        &self,
        rust: &[RustFile],
        module: ModuleIndex,
        name: Name,
        path: &Segments,
        ends: bool,
        steps: &mut usize,
    ) -> Definition {
        let (Some(first), Some(left)) = (path.first(), steps.checked_sub(1)) else { return Definition::Unknown };
        *steps = left;
        let imported_here = matches!(self.modules[module].items.get(first), Some(Item::Use(_)));
        let is_module = path.len() > 1 && matches!(self.modules[module].items.get(first), Some(Item::Module(_)));
        if (*first == name && !is_module) || imported_here {
            match self.outside(module, *first) {
                Definition::Unknown if *first == name => return Definition::Unknown,
                Definition::Unknown => {}
                start => return self.walk(rust, start, &path[1..], ends, steps),
            }
        }
        self.resolve_in(rust, module, path, ends, steps)
    }

    /// `use a::*` of a crate that is not here: a name that nothing else explains comes from there, if no other such glob
    /// competes for it.
    fn through_outside_glob(&self, module: ModuleIndex, path: &[Name]) -> Definition {
        match &self.modules[module].opened_outside[..] {
            [base] => Definition::outside(base, path),
            _ => Definition::Unknown,
        }
    }

    /// Globs open modules whose globs open others: round by round, then all that is behind each module at once.
    pub(super) fn open_globs(&mut self, rust: &[RustFile]) {
        let every = Name::from("*");
        let mut direct: Vec<(Vec<ModuleIndex>, Vec<&str>)> = vec![Default::default(); self.modules.len()];
        for _ in 0..GLOB_ROUNDS {
            let mut changed = false;
            for (index, (opened, outside)) in direct.iter_mut().enumerate() {
                for glob in &self.modules[index].globs {
                    match self.import(rust, index, every, glob, false, &mut { MAX_STEPS }) {
                        Definition::Module(target) if target != index && !opened.contains(&target) => {
                            opened.push(target);
                            changed = true;
                        }
                        Definition::External(base) if !outside.contains(&base) => {
                            outside.push(base);
                            changed = true;
                        }
                        _ => {}
                    }
                }
            }
            if !changed {
                return;
            }
            for index in 0..self.modules.len() {
                self.open_all(index, &direct);
            }
        }
    }

    /// What the globs of one module open, near and far.
    fn open_all(&mut self, module: ModuleIndex, direct: &[(Vec<ModuleIndex>, Vec<&'static str>)]) {
        let mut open = vec![module];
        let mut seen = HashSet::from_iter([module]);
        let mut outside: Vec<&str> = Vec::new();
        let mut next = 0;
        while let Some(&at) = open.get(next) {
            next += 1;
            outside.extend(&direct[at].1);
            open.extend(direct[at].0.iter().copied().filter(|target| seen.insert(*target)));
        }
        outside.sort_unstable();
        outside.dedup();
        let node = &mut self.modules[module];
        node.opened = open.split_off(1);
        node.opened_outside = outside;
    }
}

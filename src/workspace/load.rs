//! The only reader of the audited tree: one walk, one read of each file, one parse, in parallel.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use blake3::Hash;
use cargo_metadata::Metadata;
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use rayon::ThreadPool;
use rayon::prelude::*;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use self::file::{Facts, Read};
pub use self::file::{Memory, complaint};
use super::graph::Graph;
use super::http::Http;
use super::manifest::{Lock, Manifests, TargetKind};
use super::names::{CrateId, Names};
use super::reach::Reach;
use super::search::Index;
use super::walk::{Kind, walk};
use super::{FileId, Location, Problem, Sources, Workspace, cargo, discovery, manifest, rust};

/// How many workspaces Cargo is asked about: each takes a process. Our own reading stands for the rest.
const MAX_CARGO_RUNS: usize = 32;

/// Reads everything under `root`. Never fails on bad input below it: that becomes [`Workspace::problems`].
///
/// The result depends on the tree alone, not on the order in which threads finish.
pub fn load(root: &Path) -> Workspace {
    look(root).parse()
}

/// The same, for who reads nearly the same tree again and again: what `memory` holds is not parsed once more.
pub fn load_again(root: &Path, memory: &Memory) -> Workspace {
    Tree::look(root, Some(memory)).parse()
}

/// Walks `root` and reads its manifests, and no more than that yet.
pub fn look(root: &Path) -> Tree<'static> {
    Tree::look(root, None)
}

/// A tree whose files are known, and not yet parsed.
pub struct Tree<'m> {
    pool: ThreadPool,
    loader: Loader<'m>,
}

impl<'m> Tree<'m> {
    fn look(root: &Path, memory: Option<&'m Memory>) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        // One big stack per worker: the Rust parser recurses as deep as its source nests.
        let pool = rayon::ThreadPoolBuilder::new().stack_size(rust::STACK_SIZE).build().expect("threads can be started");
        let loader = pool.install(|| Loader::new(&root, memory).look());
        Self { pool, loader }
    }

    /// Tells this tree from any other of which anything else could be said: the digest of all files that are read, and of
    /// Cargo's answers. The same as [`Workspace::digest`] of what it is parsed to.
    pub fn digest(&mut self) -> Hash {
        self.pool.install(|| self.loader.digest())
    }

    /// Everything.
    pub fn parse(self) -> Workspace {
        self.pool.install(|| self.loader.parse())
    }

    /// What is known without parsing: files and packages. For who has the rest from elsewhere.
    pub fn unparsed(self) -> Workspace {
        self.loader.workspace
    }
}

fn reach_of_binaries(workspace: &Workspace) -> HashMap<CrateId, Reach> {
    let crates = workspace.names.crates.par_iter().with_max_len(1).enumerate();
    let binaries = crates.filter(|(_, krate)| krate.kind == TargetKind::Bin);
    binaries.map(|(id, _)| (id, Reach::of(workspace, id, &|_| None))).collect()
}

struct Loader<'m> {
    memory: Option<&'m Memory>,
    /// Cargo, at work on the root's own workspace.
    early: Option<cargo::Question>,
    /// Directories of the workspaces that Cargo is still to be asked about.
    roots: Vec<Utf8PathBuf>,
    /// Files that are still to be read.
    files: Vec<(FileId, Kind)>,
    /// Of what was read so far, by file.
    digests: Vec<Hash>,
    workspace: Workspace,
}

impl<'m> Loader<'m> {
    fn new(root: &Path, memory: Option<&'m Memory>) -> Self {
        let workspace = Workspace { sources: Sources::new(root.to_owned()), ..Workspace::default() };
        Self { memory, early: None, roots: Vec::new(), files: Vec::new(), digests: Vec::new(), workspace }
    }

    fn look(mut self) -> Self {
        self.timed("walk", |this| {
            // Most trees are one workspace, with its manifest at the root: Cargo reads it while we walk.
            this.early = this.ask_early();
            this.walk();
        });
        self.timed("manifests", Self::read_manifests);
        self
    }

    fn parse(mut self) -> Workspace {
        self.timed("read and parse", |this| {
            let files = std::mem::take(&mut this.files);
            let read = this.while_cargo_answers(|this| this.read(&files));
            files.iter().zip(&read).for_each(|((file, _), read)| this.digests[file.0 as usize] = read.digest);
            this.workspace.digest = Some(this.digest_of(&this.digests));
            this.keep(&files, read);
        });
        self.timed("names", |this| {
            let workspace = &mut this.workspace;
            let names = || Names::build(&workspace.sources, &workspace.packages, &workspace.rust);
            (workspace.names, workspace.index) = rayon::join(names, || Index::build(&workspace.rust));
            this.forgive_what_is_not_compiled();
        });
        self.timed("calls", |this| this.workspace.graph = Graph::build(&this.workspace));
        self.timed("reach, servers and routes", |this| {
            let workspace = &mut this.workspace;
            (workspace.reach, workspace.http) = rayon::join(|| reach_of_binaries(workspace), || Http::build(workspace));
        });
        self.timed("services", |this| {
            let (services, problems) = discovery::discover(&this.workspace);
            this.workspace.services = services;
            this.workspace.problems.extend(problems);
            this.forget_tools();
        });
        self.workspace.directives.sort_by_key(|directive| directive.at);
        self.workspace.problems.sort_by_key(|problem| problem.location);
        self.workspace.notes.sort_by_key(|note| note.location);
        self.workspace
    }

    fn digest(&mut self) -> Hash {
        let mut digests = self.digests.clone();
        let found: Vec<Hash> = self.while_cargo_answers(|this| {
            let sources = &this.workspace.sources;
            this.files
                .par_iter()
                .with_max_len(1)
                .map(|(file, _)| file::digest(&sources.root().join(sources.path(*file))))
                .collect()
        });
        self.files.iter().zip(found).for_each(|((file, _), digest)| digests[file.0 as usize] = digest);
        self.digest_of(&digests)
    }

    /// Of a whole tree, from those of its files.
    fn digest_of(&self, digests: &[Hash]) -> Hash {
        let Workspace { sources, packages, notes, is_repository, .. } = &self.workspace;
        let mut digest = blake3::Hasher::new();
        for ((_, path), of_file) in sources.iter().zip(digests) {
            digest.update(path.as_str().as_bytes()).update(&[0]).update(of_file.as_bytes());
        }
        // All that Cargo's answer decides; the rest of a package follows from its manifest.
        let packages: Vec<_> = packages.iter().map(|package| (&package.workspace, &package.targets)).collect();
        digest.update(format!("{is_repository} {packages:?} {notes:?}").as_bytes());
        digest.finalize()
    }

    /// What keeps a file of Rust from being read matters where a crate is made of it; else it is only worth a note. Below a file
    /// that could not be read, nobody knows.
    fn forgive_what_is_not_compiled(&mut self) {
        let Workspace { sources, names, problems, notes, .. } = &mut self.workspace;
        let unread: Vec<&Utf8Path> = names.unread.iter().map(|file| sources.path(*file)).collect();
        let matters = |problem: &mut Problem| {
            let path = sources.path(problem.location.file);
            let is_below = |unread: &&Utf8Path| unread.parent().is_some_and(|folder| path.starts_with(folder));
            path.extension() != Some("rs") || unread.iter().any(is_below)
        };
        notes.extend(problems.extract_if(.., |problem| !matters(problem)));
    }

    /// What tools run, nobody asks again.
    fn forget_tools(&mut self) {
        let workspace = &mut self.workspace;
        let services: HashSet<_> = workspace.services.iter().filter_map(|service| workspace.binary(service)).collect();
        workspace.reach.retain(|binary, _| services.contains(binary));
    }

    fn timed(&mut self, phase: &'static str, work: impl FnOnce(&mut Self)) {
        let start = Instant::now();
        work(self);
        self.workspace.timings.push((phase, start.elapsed()));
    }

    fn read_manifests(&mut self) {
        let is_cargo = |(_, kind): &mut (FileId, Kind)| matches!(kind, Kind::Manifest | Kind::Lock);
        let cargo_files: Vec<_> = self.files.extract_if(.., is_cargo).collect();
        let read = self.read(&cargo_files);
        self.roots = self.packages(&cargo_files, read);
    }

    fn ask_early(&self) -> Option<cargo::Question> {
        let manifest = self.workspace.sources.root().join("Cargo.toml");
        manifest.is_file().then(|| cargo::ask(&manifest))
    }

    /// Does `work` while Cargo answers, if it has not yet.
    fn while_cargo_answers<T: Send>(&mut self, work: impl FnOnce(&Self) -> T + Send) -> T {
        let (early, roots) = (self.early.take(), std::mem::take(&mut self.roots));
        let ask = |directory: &Utf8PathBuf| {
            let manifest = self.workspace.sources.root().join(directory).join("Cargo.toml");
            (directory.clone(), cargo::ask(&manifest).answer())
        };
        let wait = || {
            let early = early.map(|question| (Utf8PathBuf::new(), question.answer()));
            early.into_iter().chain(roots.par_iter().map(ask).collect::<Vec<_>>()).collect()
        };
        let (answers, done) = rayon::join(wait, || work(self));
        self.apply(answers);
        done
    }

    fn walk(&mut self) {
        self.workspace.is_repository = self.workspace.sources.root().join(".git").exists();
        let walked = walk(self.workspace.sources.root());
        let mut files: BTreeMap<Utf8PathBuf, Result<Kind, String>> = BTreeMap::new();
        files.extend(walked.unreadable.into_iter().map(|(path, why)| (path, Err(format!("cannot be read: {why}")))));
        files.extend(
            walked.unnameable.into_iter().map(|path| (path, Err("its name is not UTF-8, so it is not audited".to_owned()))),
        );
        files.extend(walked.files.into_iter().map(|(path, kind)| (path, Ok(kind))));
        for (path, kind) in files {
            let file = self.workspace.sources.add(path);
            self.digests.push(Hash::from_bytes(Default::default()));
            match kind {
                Ok(kind) => self.files.push((file, kind)),
                Err(message) => {
                    self.digests[file.0 as usize] = blake3::hash(message.as_bytes());
                    self.workspace.problems.push(Problem { location: Location::file(file), message, help: None });
                }
            }
        }
    }

    fn read(&self, files: &[(FileId, Kind)]) -> Vec<Read> {
        let sources = &self.workspace.sources;
        let read = |(file, kind): &(FileId, Kind)| file::read(sources.root(), self.memory, sources.path(*file), *file, *kind);
        // One by one: files differ by far in size, and whoever is done takes the next.
        files.par_iter().with_max_len(1).map(read).collect()
    }

    /// Reads manifests and locks as packages. Returns the directories of the workspaces to ask Cargo about.
    fn packages(&mut self, files: &[(FileId, Kind)], read: Vec<Read>) -> Vec<Utf8PathBuf> {
        let mut manifests = Vec::new();
        let mut locks: BTreeMap<Utf8PathBuf, Lock> = BTreeMap::new();
        for ((file, _), Read { facts, directives, digest }) in files.iter().zip(read) {
            self.workspace.directives.extend(directives);
            self.digests[file.0 as usize] = digest;
            match facts {
                Facts::Manifest(manifest) => manifests.push(manifest),
                Facts::Lock(lock) => {
                    locks.insert(lock.directory.clone(), lock);
                }
                other => self.keep_one(other),
            }
        }
        let sources = &self.workspace.sources;
        let is_rust = |path: &&Utf8Path| path.extension() == Some("rs");
        let rust_files: BTreeSet<Utf8PathBuf> =
            sources.iter().map(|(_, path)| path).filter(is_rust).map(Utf8Path::to_owned).collect();
        let read = manifest::read(&Manifests { manifests: &manifests, locks: &locks, rust_files: &rust_files });
        let mut roots: BTreeSet<&Utf8PathBuf> = read.packages.iter().map(|package| &package.workspace).collect();
        roots.retain(|root| !read.leaves_root.contains(*root));
        // The answer about what is no workspace to ask about is not waited for.
        self.early.take_if(|_| !roots.remove(&Utf8PathBuf::new()));
        let roots = roots.into_iter().take(MAX_CARGO_RUNS).cloned().collect();
        self.workspace.packages = read.packages;
        self.workspace.notes.extend(read.notes);
        roots
    }

    fn apply(&mut self, answers: Vec<(Utf8PathBuf, Result<Metadata, String>)>) {
        let root = self.workspace.sources.root().to_owned();
        let mut complaints: BTreeMap<String, Vec<Utf8PathBuf>> = BTreeMap::new();
        for (directory, answer) in answers {
            match answer {
                Ok(metadata) => cargo::apply(&mut self.workspace.packages, &metadata, &root),
                Err(complaint) => complaints.entry(complaint).or_default().push(directory),
            }
        }
        for (complaint, directories) in complaints {
            let manifest = self.workspace.sources.find(&directories[0].join("Cargo.toml")).unwrap_or_default();
            let others = match directories.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            self.workspace.notes.push(Problem {
                location: Location::file(manifest),
                message: format!("`cargo metadata` does not answer for this workspace{others}: {complaint}"),
                help: Some("its manifests were read without Cargo's help, and the audit goes on".to_owned()),
            });
        }
    }

    fn keep(&mut self, files: &[(FileId, Kind)], read: Vec<Read>) {
        let mut templates = Vec::new();
        for ((file, kind), Read { facts, directives, .. }) in files.iter().zip(read) {
            self.workspace.directives.extend(directives);
            match (kind, facts) {
                (Kind::Pipeline, Facts::Nothing) => self.workspace.ci.push(*file),
                (Kind::Packaging, Facts::Nothing) => self.workspace.packaging.push(*file),
                (_, Facts::Template) => templates.push(*file),
                (_, fact) => self.keep_one(fact),
            }
        }
        if let Some(first) = templates.first() {
            let message = match templates.len() {
                1 => "this is a template, and no document until it is rendered: it is not audited".to_owned(),
                count => format!(
                    "{count} files are templates, this one the first, and no documents until rendered: they are not audited"
                ),
            };
            let help = Some("render them into the tree (`helm template`, `kustomize build`) to have them audited".to_owned());
            self.workspace.notes.push(Problem { location: Location::file(*first), message, help });
        }
    }

    fn keep_one(&mut self, fact: Facts) {
        let workspace = &mut self.workspace;
        match fact {
            Facts::Rust(file) => workspace.rust.push(*file),
            Facts::Dockerfile(file) => workspace.dockerfiles.push(file),
            Facts::Compose(file) => workspace.compose.push(file),
            Facts::Kubernetes(objects) => workspace.kubernetes.extend(objects),
            Facts::Kustomization(file) => workspace.kustomizations.push(file),
            Facts::Settings(file) => workspace.settings.push(file),
            Facts::Toolchain(file) => workspace.toolchains.push(file),
            Facts::Cargo(file) => workspace.cargo_settings.push(file),
            Facts::Migration(file) => workspace.migrations.push(file),
            Facts::Query(file) => workspace.queries.push(file),
            Facts::Problem(problem) => workspace.problems.push(problem),
            Facts::Manifest(_) | Facts::Lock(_) | Facts::Template | Facts::Nothing => {}
        }
    }
}

//! The only reader of the audited tree: one walk, one read of each file, one parse, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use cargo_metadata::Metadata;
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::directive::Directive;
use super::graph::Graph;
use super::http::Http;
use super::manifest::{Lock, Manifest, Manifests, TargetKind};
use super::names::{CrateId, Names};
use super::reach::Reach;
use super::search::Index;
use super::walk::{self, Kind, walk};
use super::yaml::Failure;
use super::{
    FileId, Location, Problem, Sources, Span, Workspace, cargo, comment, compose, directive, discovery, dockerfile, kubernetes,
    manifest, rust, settings, sql, toolchain, yaml,
};

/// Larger files are reported and not read: no person wrote them.
const MAX_FILE: u64 = 8 << 20;

/// How many workspaces Cargo is asked about: each takes a process. Our own reading stands for the rest.
const MAX_CARGO_RUNS: usize = 32;

/// Reads everything under `root`. Never fails on bad input below it: that becomes [`Workspace::problems`].
///
/// The result depends on the tree alone, not on the order in which threads finish.
pub fn load(root: &Path) -> Workspace {
    read_tree(root, None)
}

/// Rust files that were parsed before, by their text.
pub type Memory = Mutex<HashMap<String, rust::RustFile>>;

/// The same, for who reads nearly the same tree again and again: what `memory` holds is not parsed once more.
pub fn load_again(root: &Path, memory: &Memory) -> Workspace {
    read_tree(root, Some(memory))
}

fn read_tree(root: &Path, memory: Option<&Memory>) -> Workspace {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    // One big stack per worker: the Rust parser recurses as deep as its source nests.
    let pool = rayon::ThreadPoolBuilder::new().stack_size(rust::STACK_SIZE).build().expect("threads can be started");
    pool.install(|| Loader::new(&root, memory).run())
}

/// What keeps `text` from being read as the file at `path`, if anything.
pub fn complaint(path: &Utf8Path, text: &str) -> Option<String> {
    let kind = walk::kind(path)?;
    let complain = || match parse(path, FileId::default(), kind, text) {
        Facts::Problem(problem) => Some(problem.message),
        Facts::Rust(facts) => rust::problems_in_bodies(&facts).next().map(|problem| problem.message),
        _ => None,
    };
    let big = std::thread::Builder::new().stack_size(rust::STACK_SIZE);
    std::thread::scope(|scope| {
        let parser = big.spawn_scoped(scope, complain).expect("threads can be started");
        parser.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn reach_of_binaries(workspace: &Workspace) -> HashMap<CrateId, Reach> {
    let crates = workspace.names.crates.par_iter().enumerate();
    let binaries = crates.filter(|(_, krate)| krate.kind == TargetKind::Bin);
    binaries.map(|(id, _)| (id, Reach::of(workspace, id, &|_| None))).collect()
}

/// What one file amounts to.
enum Facts {
    Rust(Box<rust::RustFile>),
    Manifest(Manifest),
    Lock(Lock),
    Dockerfile(dockerfile::Dockerfile),
    Compose(compose::Compose),
    Kubernetes(Vec<kubernetes::Object>),
    Kustomization(kubernetes::Kustomization),
    Settings(settings::Settings),
    Toolchain(toolchain::Toolchain),
    Migration(sql::Migration),
    Template,
    Nothing,
    Problem(Problem),
}

/// Facts of a file, and what it says to the linter.
type Read = (Facts, Vec<Directive>);

struct Loader<'a> {
    root: &'a Path,
    memory: Option<&'a Memory>,
    files: Vec<(FileId, Kind)>,
    workspace: Workspace,
}

impl<'a> Loader<'a> {
    fn new(root: &'a Path, memory: Option<&'a Memory>) -> Self {
        let workspace = Workspace { sources: Sources::new(root.to_owned()), ..Workspace::default() };
        Self { root, memory, files: Vec::new(), workspace }
    }

    fn run(mut self) -> Workspace {
        self.timed("walk", Self::walk);
        self.timed("read and parse", Self::read_all);
        self.timed("names", |this| {
            let workspace = &mut this.workspace;
            workspace.names = Names::build(&workspace.sources, &workspace.packages, &workspace.rust);
            workspace.index = Index::build(&workspace.rust);
            this.forgive_what_is_not_compiled();
        });
        self.timed("calls", |this| this.workspace.graph = Graph::build(&this.workspace));
        self.timed("reach", |this| this.workspace.reach = reach_of_binaries(&this.workspace));
        self.timed("servers and routes", |this| this.workspace.http = Http::build(&this.workspace));
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

    fn read_all(&mut self) {
        let is_cargo = |kind: &Kind| matches!(kind, Kind::Manifest | Kind::Lock);
        let (cargo_files, files): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.files).into_iter().partition(|(_, kind)| is_cargo(kind));
        let facts = self.read(&cargo_files);
        let roots = self.packages(facts);
        let (answers, facts) = rayon::join(|| ask_cargo(self.root, &roots), || self.read(&files));
        self.apply(answers);
        self.keep(&files, facts);
    }

    fn walk(&mut self) {
        self.workspace.is_repository = self.root.join(".git").exists();
        let walked = walk(self.root);
        let mut files: BTreeMap<Utf8PathBuf, Result<Kind, String>> = BTreeMap::new();
        files.extend(walked.unreadable.into_iter().map(|(path, why)| (path, Err(format!("cannot be read: {why}")))));
        files.extend(
            walked.unnameable.into_iter().map(|path| (path, Err("its name is not UTF-8, so it is not audited".to_owned()))),
        );
        files.extend(walked.files.into_iter().map(|(path, kind)| (path, Ok(kind))));
        for (path, kind) in files {
            let file = self.workspace.sources.add(path);
            match kind {
                Ok(kind) => self.files.push((file, kind)),
                Err(message) => {
                    self.workspace.problems.push(Problem { location: Location::file(file), message, help: None });
                }
            }
        }
    }

    fn read(&self, files: &[(FileId, Kind)]) -> Vec<Read> {
        let sources = &self.workspace.sources;
        files.par_iter().map(|(file, kind)| read(self.root, self.memory, sources.path(*file), *file, *kind)).collect()
    }

    /// Reads manifests and locks as packages. Returns the directories of the workspaces to ask Cargo about.
    fn packages(&mut self, facts: Vec<Read>) -> Vec<Utf8PathBuf> {
        let mut manifests = Vec::new();
        let mut locks: BTreeMap<Utf8PathBuf, Lock> = BTreeMap::new();
        for (fact, directives) in facts {
            self.workspace.directives.extend(directives);
            match fact {
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
        let roots: BTreeSet<&Utf8PathBuf> = read.packages.iter().map(|package| &package.workspace).collect();
        let roots = roots.into_iter().filter(|root| !read.leaves_root.contains(*root)).take(MAX_CARGO_RUNS).cloned().collect();
        self.workspace.packages = read.packages;
        self.workspace.notes.extend(read.notes);
        roots
    }

    fn apply(&mut self, answers: Vec<(Utf8PathBuf, Result<Metadata, String>)>) {
        let mut complaints: BTreeMap<String, Vec<Utf8PathBuf>> = BTreeMap::new();
        for (directory, answer) in answers {
            match answer {
                Ok(metadata) => cargo::apply(&mut self.workspace.packages, &metadata, self.root),
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

    fn keep(&mut self, files: &[(FileId, Kind)], facts: Vec<Read>) {
        let mut templates = Vec::new();
        for ((file, kind), (fact, directives)) in files.iter().zip(facts) {
            self.workspace.directives.extend(directives);
            match (kind, fact) {
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
            Facts::Migration(file) => workspace.migrations.push(file),
            Facts::Problem(problem) => workspace.problems.push(problem),
            Facts::Manifest(_) | Facts::Lock(_) | Facts::Template | Facts::Nothing => {}
        }
    }
}

fn ask_cargo(root: &Path, workspaces: &[Utf8PathBuf]) -> Vec<(Utf8PathBuf, Result<Metadata, String>)> {
    let ask = |directory: &Utf8PathBuf| (directory.clone(), cargo::metadata(&root.join(directory).join("Cargo.toml")));
    workspaces.par_iter().map(ask).collect()
}

/// Reads and parses one file.
fn read(root: &Path, memory: Option<&Memory>, path: &Utf8Path, file: FileId, kind: Kind) -> Read {
    if kind == Kind::Pipeline {
        return (Facts::Nothing, Vec::new());
    }
    let text = match read_text(&root.join(path)) {
        Ok(text) => text,
        Err((span, message)) => {
            let problem = Problem { location: Location::new(file, span), message, help: None };
            return (Facts::Problem(problem), Vec::new());
        }
    };
    let facts = parse_once(memory, path, file, kind, &text);
    let directives = match &facts {
        Facts::Rust(rust) => directive::rust_directives(file, &text, rust.comments.iter().map(|(span, _)| *span)),
        Facts::Problem(_) | Facts::Template => Vec::new(),
        _ => comment::syntax(path, kind).map_or_else(Vec::new, |syntax| directive::directives(file, &text, syntax)),
    };
    (facts, directives)
}

/// What is remembered of a Rust file, else what parsing it gives.
fn parse_once(memory: Option<&Memory>, path: &Utf8Path, file: FileId, kind: Kind, text: &str) -> Facts {
    let Some(memory) = memory.filter(|_| kind == Kind::Rust) else { return parse(path, file, kind, text) };
    let open = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = open().get(text) {
        return Facts::Rust(Box::new(rust::RustFile { file, ..known.clone() }));
    }
    let facts = parse(path, file, kind, text);
    if let Facts::Rust(rust) = &facts {
        open().insert(text.to_owned(), (**rust).clone());
    }
    facts
}

fn parse(path: &Utf8Path, file: FileId, kind: Kind, text: &str) -> Facts {
    match kind {
        Kind::Rust => match rust::parse(file, text) {
            Ok(facts) => Facts::Rust(Box::new(facts)),
            // cargo-generate's and its kin: `{{project-name}}/src/main.rs`.
            Err(_) if path.as_str().contains("{{") => Facts::Template,
            Err(problem) => Facts::Problem(problem),
        },
        Kind::Manifest => {
            manifest::parse(file, path, text).map_or_else(|problem| unless_template(text, problem), Facts::Manifest)
        }
        Kind::Lock => manifest::parse_lock(file, path, text).map_or_else(Facts::Problem, Facts::Lock),
        Kind::Dockerfile => {
            dockerfile::parse(file, text).map_or_else(|failure| failed(file, "Dockerfile", failure), Facts::Dockerfile)
        }
        Kind::Compose => parsed(file, "compose file", text, |documents| Facts::Compose(compose::read(file, &documents))),
        Kind::Kustomization => parsed(file, "kustomization", text, |documents| {
            kubernetes::read_kustomization(file, documents).map_or(Facts::Nothing, Facts::Kustomization)
        }),
        Kind::Yaml(_) if kubernetes::mentions_objects(text) => {
            parsed(file, "YAML file", text, |documents| Facts::Kubernetes(kubernetes::read(file, text, documents)))
        }
        Kind::Yaml(Some(format)) | Kind::Settings(format) => read_settings(file, path, format, text),
        Kind::Toolchain => toolchain::parse(file, text).map_or(Facts::Nothing, Facts::Toolchain),
        Kind::Migration => Facts::Migration(sql::parse_migration(file, path, text)),
        Kind::Yaml(None) | Kind::Pipeline | Kind::Packaging => Facts::Nothing,
    }
}

fn parsed(file: FileId, what: &str, text: &str, read: impl FnOnce(Vec<yaml::Node>) -> Facts) -> Facts {
    yaml::parse(text).map_or_else(|failure| failed(file, what, failure), read)
}

fn read_settings(file: FileId, path: &Utf8Path, format: settings::Format, text: &str) -> Facts {
    match settings::parse(file, format, text) {
        Ok(settings) => Facts::Settings(settings),
        // JSON that YAML does not take, or JSON with comments: not ours to complain about.
        Err(_) if path.extension() == Some("json") => Facts::Nothing,
        Err(failure) => failed(file, "configuration file", failure),
    }
}

fn failed(file: FileId, what: &str, failure: Failure) -> Facts {
    match failure {
        Failure::Template => Facts::Template,
        Failure::Invalid { span, message } => Facts::Problem(Problem {
            location: Location::new(file, span),
            message: format!("not a valid {what}: {message}"),
            help: None,
        }),
    }
}

fn unless_template(text: &str, problem: Problem) -> Facts {
    if yaml::has_template_tags(text) { Facts::Template } else { Facts::Problem(problem) }
}

/// Text of a file, or where and why there is none.
fn read_text(path: &Path) -> Result<String, (Span, String)> {
    let failed = |error: std::io::Error| (Span::default(), format!("cannot be read: {error}"));
    let mut bytes = Vec::new();
    // The size is taken from what is read: a file may grow, and some lie about theirs.
    File::open(path).map_err(failed)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err((Span::default(), format!("larger than {} MiB, so it is not audited", MAX_FILE >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        (Span::new(at, at + 1), "not UTF-8, so it is not audited".to_owned())
    })
}

//! One file of the audited tree: its text, and what that amounts to.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use blake3::Hash;
use cargo_metadata::camino::Utf8Path;
use rustc_hash::FxHashMap as HashMap;

use crate::workspace::directive::{self, Directive};
use crate::workspace::manifest::{self, Lock, Manifest};
use crate::workspace::walk::{self, Kind};
use crate::workspace::yaml::{self, Failure};
use crate::workspace::{
    FileId, Location, Problem, Span, comment, compose, dockerfile, kubernetes, rust, settings, sql, toolchain,
};

/// Larger files are reported and not read: no person wrote them.
const MAX_FILE: u64 = 8 << 20;

/// Rust files that were parsed before, by their text.
pub type Memory = Mutex<HashMap<String, rust::RustFile>>;

/// What one file amounts to.
pub(super) enum Facts {
    Rust(Box<rust::RustFile>),
    Manifest(Manifest),
    Lock(Lock),
    Dockerfile(dockerfile::Dockerfile),
    Compose(compose::Compose),
    Kubernetes(Vec<kubernetes::Object>),
    Kustomization(kubernetes::Kustomization),
    Settings(settings::Settings),
    Toolchain(toolchain::Toolchain),
    Cargo(settings::Settings),
    Migration(sql::Migration),
    Query(sql::Query),
    Template,
    Nothing,
    Problem(Problem),
}

/// One file, read.
pub(super) struct Read {
    pub facts: Facts,
    /// What it says to the linter.
    pub directives: Vec<Directive>,
    /// Of what it holds; where it cannot be read, of why.
    pub digest: Hash,
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

/// Reads and parses one file.
pub(super) fn read(root: &Path, memory: Option<&Memory>, path: &Utf8Path, file: FileId, kind: Kind) -> Read {
    let (text, digest) = read_text(&root.join(path));
    let text = match text {
        _ if kind == Kind::Pipeline => return Read { facts: Facts::Nothing, directives: Vec::new(), digest },
        Ok(text) => text,
        // A dump, most often; code that includes it is built with it all the same.
        Err(_) if kind == Kind::Query => return Read { facts: Facts::Nothing, directives: Vec::new(), digest },
        Err((span, message)) => {
            let problem = Problem { location: Location::new(file, span), message, help: None };
            return Read { facts: Facts::Problem(problem), directives: Vec::new(), digest };
        }
    };
    let facts = parse_once(memory, path, file, kind, &text);
    let directives = match &facts {
        Facts::Rust(rust) => directive::rust_directives(file, &text, rust.comments.iter().map(|(span, _)| *span)),
        Facts::Problem(_) | Facts::Template => Vec::new(),
        _ => comment::syntax(path, kind).map_or_else(Vec::new, |syntax| directive::directives(file, &text, syntax)),
    };
    Read { facts, directives, digest }
}

/// The digest of a file as [`read`] gives it, without parsing the file.
pub(super) fn digest(path: &Path) -> Hash {
    read_text(path).1
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
        Kind::Cargo => settings::parse(file, settings::Format::Toml, text)
            .map_or_else(|failure| failed(file, "configuration of Cargo", failure), Facts::Cargo),
        Kind::Migration => Facts::Migration(sql::parse_migration(file, path, text)),
        Kind::Query => Facts::Query(sql::Query { file, statements: sql::read(text) }),
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

/// Text of a file, or where and why there is none; and the digest of that.
fn read_text(path: &Path) -> (Result<String, (Span, String)>, Hash) {
    let text = read_bytes(path).map_err(|message| (Span::default(), message)).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            (Span::new(at, at + 1), "not UTF-8, so it is not audited".to_owned())
        })
    });
    let digest = match &text {
        Ok(text) => blake3::hash(text.as_bytes()),
        Err((span, message)) => blake3::hash(format!("{span:?} {message}").as_bytes()),
    };
    (text, digest)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    // The size is taken from what is read: a file may grow, and some lie about theirs.
    File::open(path).map_err(failed)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 {
        0..=MAX_FILE => Ok(bytes),
        _ => Err(format!("larger than {} MiB, so it is not audited", MAX_FILE >> 20)),
    }
}

//! Disk to model, built once: [`load`] walks, parses in parallel and returns an immutable [`Workspace`].
//!
//! Only `load` (with `walk.rs` and, for snippets, `sources.rs`) reads the disk, only `cargo.rs` runs `cargo metadata`;
//! every other module here turns text into (facts, problems).

mod cargo;
pub mod ci;
pub mod comment;
pub mod compose;
pub mod directive;
pub mod discovery;
pub mod dockerfile;
pub mod documents;
pub mod externals;
pub mod follow;
pub mod graph;
pub mod http;
pub mod image;
pub mod kubernetes;
pub mod load;
pub mod manifest;
pub mod names;
pub mod query;
pub mod reach;
pub mod running;

pub mod rust;
pub mod search;
pub mod service;
pub mod settings;
pub mod sources;
pub mod sql;
pub mod tables;
pub mod toolchain;
pub mod trace;
pub mod types;
pub mod values;
pub mod variables;
mod walk;
pub mod yaml;

#[cfg(test)]
mod tests;

pub use load::load;
use rustc_hash::FxHashMap as HashMap;
use serde::{Deserialize, Serialize};
pub use service::Service;
pub use sources::{FileId, Location, Sources, Span, Spanned};

/// All that is known of an audited tree. Immutable once loaded.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Every file that was read, by [`FileId`]; spans point into it.
    pub sources: Sources,
    /// Packages of every Cargo workspace under the root, in path order.
    pub packages: Vec<manifest::Package>,
    /// Facts of every Rust file.
    pub rust: Vec<rust::RustFile>,
    /// In path order.
    pub dockerfiles: Vec<dockerfile::Dockerfile>,
    /// In path order.
    pub compose: Vec<compose::Compose>,
    /// Kubernetes objects, in path order, then as they stand in the file.
    pub kubernetes: Vec<kubernetes::Object>,
    /// In path order.
    pub kustomizations: Vec<kubernetes::Kustomization>,
    /// Configuration files: TOML, YAML, JSON and `.env`, in path order.
    pub settings: Vec<settings::Settings>,
    /// SQL migrations, in path order.
    pub migrations: Vec<sql::Migration>,
    /// Other files of SQL, in path order.
    pub queries: Vec<sql::Query>,
    /// Pipeline definitions, in path order.
    pub ci: Vec<FileId>,
    /// Whether the root is a repository's: what a repository has at its root is seen.
    pub is_repository: bool,
    /// Files by which something other than a container image is made of services, in path order.
    pub packaging: Vec<FileId>,
    /// `rust-toolchain.toml` files, in path order.
    pub toolchains: Vec<toolchain::Toolchain>,
    /// `.cargo/config.toml` files, in path order.
    pub cargo_settings: Vec<settings::Settings>,
    /// What paths in those files mean.
    pub names: names::Names,
    /// Calls by name.
    pub index: search::Index,
    /// Servers and routes.
    pub http: http::Http,
    /// Which functions mention which.
    pub graph: graph::Graph,
    /// All that the binaries of services reach.
    pub reach: HashMap<names::CrateId, reach::Reach>,
    /// See [`Workspace::running`].
    pub running: std::sync::OnceLock<running::Running>,
    /// See [`Workspace::tables`].
    pub tables: std::sync::OnceLock<tables::Tables>,
    /// The packages' binaries that are services, in name order.
    pub services: Vec<Service>,
    /// Systems that the configuration declares to be outside. Set after loading.
    pub externals: externals::Externals,
    /// Comments to the linter, of every kind of file.
    pub directives: Vec<directive::Directive>,
    /// What could not be read or parsed: each becomes a diagnostic, never silence.
    pub problems: Vec<Problem>,
    /// What limits the audit without being a fault of the tree: Cargo not answering, a template that is no YAML yet, a path
    /// that leads out of the root. Shown, and no reason to fail.
    pub notes: Vec<Problem>,
    /// Who looks at one line, where that is asked for.
    pub trace: Option<Box<trace::Trace>>,
    /// Tells this tree from any other of which anything else could be said.
    pub digest: Option<blake3::Hash>,
    /// How long each phase of loading took, in order.
    pub timings: Vec<(&'static str, std::time::Duration)>,
}

impl Workspace {
    /// The package that something in `file` is about: that of the service it names, else the one whose directory holds the file.
    pub fn package_about(&self, service: Option<&str>, file: FileId) -> Option<usize> {
        if let Some(service) = self.services.iter().find(|known| Some(known.name.as_str()) == service) {
            return Some(service.package);
        }
        let path = self.sources.path(file);
        let around = self.packages.iter().enumerate().filter(|(_, package)| path.starts_with(&package.directory));
        around.max_by_key(|(_, package)| package.directory.components().count()).map(|(index, _)| index)
    }

    /// The crate of a service's binary.
    pub fn binary(&self, service: &Service) -> Option<names::CrateId> {
        let targets = &self.packages[service.package].targets;
        let is_it = |krate: &names::Crate| {
            let is_binary = krate.kind == manifest::TargetKind::Bin;
            is_binary && krate.package == service.package && targets[krate.target].name == service.binary
        };
        self.names.crates.iter().position(is_it)
    }
}

/// Input that could not be read as what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where; the whole file when the parser gives no place.
    pub location: Location,
    /// What happened, a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

//! `ServiceSpec` x `templates/` to a [`FileTree`]. Pure: the templates are embedded, nothing is read or run.
//!
//! - [`render`]: one template to one text.
//! - [`tree`]: which files a spec gets.
//! - [`crates`]: which crates services are built from.
//! - [`lock`]: the `Cargo.lock` that makes the first build a locked one.
//! - [`add`]: all that into a workspace which exists.

pub mod add;
pub mod crates;
mod lock;
mod render;
mod tree;

use include_dir::{Dir, include_dir};

use crate::service::{Auth, Protocol, ServiceName, ServiceSpec, Store, Tls};

pub use lock::{every_package, lock_file, lock_with_service};
pub use render::store_port;
pub use tree::{service_files, standard_directory, unlocked_workspace, workspace};

/// Names of called services up to this length leave generated code as `cargo fmt` would have it.
pub const LONGEST_CALLEE: usize = 30;

/// What is known of a service that a new one calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    pub name: ServiceName,
    pub port: u16,
    pub protocol: Protocol,
    /// It keeps no data: it says again what it is told, and has no items.
    pub stateless: bool,
    /// It asks for tokens.
    pub protected: bool,
    pub tls: Tls,
}

impl Callee {
    /// A service that is not there yet.
    pub fn assumed(name: &ServiceName) -> Self {
        Self { name: name.clone(), port: 8080, protocol: Protocol::Rest, stateless: false, protected: true, tls: Tls::Mesh }
    }

    /// What its example routes are about.
    fn api(&self) -> &'static str {
        if self.stateless { "echo" } else { "items" }
    }

    pub fn of(spec: &ServiceSpec) -> Self {
        Self {
            name: spec.name.clone(),
            port: spec.port,
            protocol: spec.protocol,
            stateless: spec.store == Store::None,
            protected: spec.auth == Auth::Jwt,
            tls: spec.tls,
        }
    }
}

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

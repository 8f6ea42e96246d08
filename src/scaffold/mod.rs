//! `ServiceSpec` x `templates/` to a [`FileTree`]. Pure: the templates are embedded, nothing is read or run.
//!
//! - [`render`]: one template to one text.
//! - [`tree`]: which files a spec gets.
//! - [`lock`]: the `Cargo.lock` that makes the first build a locked one.
//! - [`add`]: all that into a workspace which exists.

pub mod add;
mod lock;
mod render;
mod tree;

use include_dir::{Dir, include_dir};

pub use lock::{lock_file, lock_with_service};
pub use tree::{chassis_files, service_files, workspace_files};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

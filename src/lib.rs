//! `cargo msvc`: generate, audit and deploy Rust microservices.
//!
//! The modules, in reading order:
//!
//! - [`service`]: [`ServiceSpec`](service::ServiceSpec), what a service *is*. `new` consumes it, discovery produces it,
//!   `deploy-manifests` renders it. Everything else in this crate is a way into or out of that type.
//! - [`workspace`]: disk to model. One walk, one parse of each file, plain owned facts with byte spans. After
//!   [`workspace::load`] returns, nothing reads the audited tree except to show a snippet.
//! - [`lint`]: the engine. Knows no rule; takes them as an argument.
//! - [`rules`]: one file a rule, one folder a practice, one list. Rules read the model and return diagnostics: they
//!   never touch the disk, the terminal or the command line.
//! - [`scaffold`]: `ServiceSpec` x `templates/` to a [`file_tree::FileTree`]. Pure.
//! - [`deploy`]: discovered services x target to a [`file_tree::FileTree`]. Pure.
//! - [`file_tree`]: planned files and the only writer.
//! - [`config`]: `msvc.toml` and `[package.metadata.msvc]`.
//! - [`output`]: one file a format.
//! - [`commands`]: gather, call, render; each short.
//! - [`cli`]: clap types, nothing else.

pub mod cli;
pub mod commands;
pub mod config;
pub mod deploy;
pub mod file_tree;
pub mod lint;
pub mod output;
pub mod rules;
pub mod scaffold;
pub mod service;
pub mod workspace;

//! One file a format. Each writes a [`Report`](crate::lint::Report) to a stream and decides nothing: what is reported, at
//! which level and in which order is settled before.

pub mod checkstyle;
pub mod concise;
pub mod explain;
pub mod github;
pub mod gitlab;
pub mod human;
pub mod json;
pub mod junit;
pub mod notes;
pub mod rules;
pub mod rustc;
pub mod sarif;
pub mod services;
mod snippet;
mod terminal;
mod texts;
pub mod why;
mod xml;

pub use terminal::{Style, printable, printable_line};
pub use texts::Texts;

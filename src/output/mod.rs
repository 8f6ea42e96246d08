//! One file a format. Each writes a [`Report`](crate::lint::Report) to a stream and decides nothing: what is reported, at
//! which level and in which order is settled before.

pub mod explain;
pub mod github;
pub mod human;
pub mod json;
pub mod notes;
pub mod rules;
pub mod sarif;
pub mod services;
mod snippet;
mod terminal;
mod texts;

pub use terminal::Style;
pub use texts::Texts;

//! Practice 7: security at all levels.

pub mod hardcoded_secret;
mod secret;
mod written;

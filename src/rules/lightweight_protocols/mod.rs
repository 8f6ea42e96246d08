//! Practice 3: lightweight protocols.

pub mod body_limit_off;
pub mod unversioned_api;

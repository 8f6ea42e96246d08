//! Practice 3: lightweight protocols.

pub mod unversioned_api;

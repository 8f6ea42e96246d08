//! Practice 5: data ownership.

mod collections;
pub mod cross_owner_foreign_key;
pub(in crate::rules) mod database;
pub mod dual_write;
pub mod foreign_migration;
pub mod foreign_table_read;
mod ownership;
pub mod replica_local_state;
pub mod shared_credentials;
pub mod shared_database;
pub mod shared_table;
pub(in crate::rules) mod stores;
pub mod unsafe_migration;

pub use stores::is_job;

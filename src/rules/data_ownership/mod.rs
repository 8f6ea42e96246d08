//! Practice 5: data ownership.

mod database;
pub mod shared_database;

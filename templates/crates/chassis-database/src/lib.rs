//! What the databases of services have in common: [`schema`], which each service brings up to date itself; and [`server`],
//! where a database is that stands on a server. Each engine has a crate of its own.

pub mod schema;
pub mod server;

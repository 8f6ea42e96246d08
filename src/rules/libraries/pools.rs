//! Pools of connections: how long they let a caller wait.

/// What makes a pool, and how its wait is set.
pub struct Pool {
    /// Calls that make it, or its builder.
    pub makers: &'static [&'static str],
    /// Methods of the builder that set the wait.
    pub limits: &'static [&'static str],
    /// Inserted after the maker to set it; empty where that takes more.
    pub fix: &'static str,
    pub library: &'static str,
}

/// A caller waits for 30 s.
pub const HALF_A_MINUTE: &[Pool] = &[
    // sqlx-core 0.8 and 0.9 `src/pool/options.rs`: `acquire_timeout: Duration::from_secs(30)`; 0.5 calls it `connect_timeout`.
    Pool {
        makers: &[
            "sqlx::postgres::PgPoolOptions::new",
            "sqlx::mysql::MySqlPoolOptions::new",
            "sqlx::sqlite::SqlitePoolOptions::new",
            "sqlx::pool::PoolOptions::new",
            "sqlx::postgres::PgPoolOptions::default",
        ],
        limits: &["acquire_timeout", "connect_timeout"],
        fix: ".acquire_timeout(std::time::Duration::from_secs(2))",
        library: "sqlx",
    },
    Pool {
        makers: &[
            "sqlx::PgPool::connect",
            "sqlx::PgPool::connect_lazy",
            "sqlx::PgPool::connect_with",
            "sqlx::PgPool::connect_lazy_with",
            "sqlx::MySqlPool::connect",
            "sqlx::MySqlPool::connect_lazy",
            "sqlx::SqlitePool::connect",
            "sqlx::SqlitePool::connect_with",
            "sqlx::postgres::PgPool::connect",
            "sqlx::mysql::MySqlPool::connect",
            "sqlx::sqlite::SqlitePool::connect",
            "sqlx::MySqlPool::connect_with",
            "sqlx::MySqlPool::connect_lazy_with",
            "sqlx::SqlitePool::connect_lazy",
            "sqlx::SqlitePool::connect_lazy_with",
            // `sqlx::Pool::<Postgres>::connect(url)`
            "sqlx::Pool::connect",
            "sqlx::Pool::connect_lazy",
            "sqlx::Pool::connect_with",
            "sqlx::Pool::connect_lazy_with",
            "sqlx::pool::Pool::connect",
        ],
        limits: &[],
        fix: "",
        library: "sqlx",
    },
    // sea-orm 1.1 `src/database/mod.rs`: both `None`, which leaves sqlx's default.
    Pool {
        makers: &["sea_orm::ConnectOptions::new"],
        limits: &["acquire_timeout", "connect_timeout"],
        fix: "",
        library: "sea-orm",
    },
    // The same, of a URL as it is.
    Pool { makers: &["sea_orm::Database::connect"], limits: &[], fix: "", library: "sea-orm" },
    // r2d2 0.8 `src/config.rs`: `connection_timeout: Duration::from_secs(30)`; diesel 2 re-exports it.
    Pool {
        makers: &["r2d2::Pool::builder", "diesel::r2d2::Pool::builder"],
        limits: &["connection_timeout"],
        fix: ".connection_timeout(std::time::Duration::from_secs(2))",
        library: "r2d2",
    },
    Pool { makers: &["r2d2::Pool::new", "diesel::r2d2::Pool::new"], limits: &[], fix: "", library: "r2d2" },
    // bb8 0.9 `src/api.rs`: `connection_timeout: Duration::from_secs(30)`.
    Pool {
        makers: &["bb8::Pool::builder", "diesel_async::pooled_connection::bb8::Pool::builder"],
        limits: &["connection_timeout"],
        fix: ".connection_timeout(std::time::Duration::from_secs(2))",
        library: "bb8",
    },
    // mobc 0.9 `src/config.rs`: `get_timeout: Some(Duration::from_secs(30))`.
    Pool {
        makers: &["mobc::Pool::builder"],
        limits: &["get_timeout"],
        fix: ".get_timeout(Some(std::time::Duration::from_secs(2)))",
        library: "mobc",
    },
];

/// A caller waits for ever: deadpool 0.9, 0.12 and 0.13 `src/managed/config.rs`: `Timeouts { wait: None, .. }`.
pub const FOR_EVER: &[&str] = &[
    "deadpool::managed::Pool::builder",
    "deadpool_postgres::Pool::builder",
    "deadpool_redis::Pool::builder",
    "deadpool_sqlite::Pool::builder",
    "deadpool_lapin::Pool::builder",
    "deadpool_diesel::postgres::Pool::builder",
    "deadpool_diesel::mysql::Pool::builder",
    "deadpool_diesel::sqlite::Pool::builder",
    "diesel_async::pooled_connection::deadpool::Pool::builder",
];

/// Configurations whose `create_pool` makes a pool that waits for ever unless their field `pool` says otherwise: deadpool-postgres 0.14
/// `src/config.rs` and its kin.
pub const CONFIGS: &[&str] =
    &["deadpool_postgres::Config", "deadpool_redis::Config", "deadpool_lapin::Config", "deadpool_sqlite::Config"];

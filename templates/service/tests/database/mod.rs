//! A database of its own for each test, on the server that the configuration names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use chassis_database::server::Database;
use sqlx::AssertSqlSafe;
use tokio::runtime::Runtime;

use example_service::{Config, store};

/// Gone with its last clone.
#[derive(Clone)]
pub struct TestDatabase(#[expect(dead_code, reason = "it is there to be dropped")] Arc<Named>);

struct Named(String);

impl TestDatabase {
    /// Makes an empty database, and has the configuration name it.
    pub async fn empty(config: &mut Config) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
        let name = format!("test_{process}_{count}");
        run(format!("CREATE DATABASE {name}")).await;
        config.store = server();
        config.store.database = name.clone();
        Self(Arc::new(Named(name)))
    }

    /// Likewise, with the service's schema.
    pub async fn for_service(config: &mut Config) -> Self {
        let database = Self::empty(config).await;
        store::bring_up_to_date(&config.store)
            .await
            .expect("the schema can be made");
        database
    }
}

impl Drop for Named {
    /// From a thread and a runtime of its own: those of the test are busy with ending.
    fn drop(&mut self) {
        let name = self.0.clone();
        let dropping = || Runtime::new().unwrap().block_on(remove(name));
        _ = thread::spawn(dropping).join();
    }
}

/// Tried again: a connection that was being made when it was tried is there the next time, and is ended then.
async fn remove(name: String) {
    for _ in 0..2 {
        if dropped(&name).await.is_ok() {
            return;
        }
    }
    dropped(&name).await.expect("nobody uses the database");
}

//% if store == "mysql"
/// Ends the connections of the test first: a transaction that it has not ended would keep the database.
async fn dropped(name: &str) -> sqlx::Result<()> {
    let pool = chassis_mysql::pool(&server()).expect("the configuration is valid");
    let connected = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ?";
    let connected = sqlx::query_scalar::<_, i64>(connected).bind(name);
    for id in connected.fetch_all(&pool).await? {
        // It may have gone by itself.
        let kill = AssertSqlSafe(format!("KILL {id}"));
        _ = sqlx::query(kill).execute(&pool).await;
    }
    let statement = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"));
    sqlx::query(statement).execute(&pool).await.map(drop)
}
//% endif
//% if store == "postgres"
async fn dropped(name: &str) -> sqlx::Result<()> {
    let pool = chassis_postgres::pool(&server()).expect("the configuration is valid");
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let statement = AssertSqlSafe(statement);
    sqlx::query(statement).execute(&pool).await.map(drop)
}
//% endif

fn server() -> Database {
    Config::load().expect("the configuration is valid").store
}

async fn run(statement: String) {
    let server = server();
    let (host, port) = (&server.host, server.port);
    //% if store == "mysql"
    let pool = chassis_mysql::pool(&server).expect("the configuration is valid");
    //% endif
    //% if store == "postgres"
    let pool = chassis_postgres::pool(&server).expect("the configuration is valid");
    //% endif
    let done = sqlx::query(AssertSqlSafe(statement)).execute(&pool).await;
    done.unwrap_or_else(|error| {
        panic!(
            "this test needs a database server, where it may make databases, and has none on {host}:{port}: {error}. \
             README.md says how to start one."
        )
    });
}

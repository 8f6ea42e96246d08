//! A database of its own for each test, on the server that the configuration names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

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
        config.store = Config::load().expect("the configuration is valid").store;
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
        //% if store == "mysql"
        let statement = format!("DROP DATABASE {}", self.0);
        //% endif
        //% if store == "postgres"
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.0);
        //% endif
        let dropping = move || Runtime::new().unwrap().block_on(run(statement));
        _ = thread::spawn(dropping).join();
    }
}

async fn run(statement: String) {
    let server = Config::load().expect("the configuration is valid").store;
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

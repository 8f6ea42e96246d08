//! The service's database, with replicas and versions of the service beside this one.

mod database;

use database::TestDatabase;
use tokio::task::JoinSet;

use example_service::Config;
//% if protocol == "events"
use example_service::store::{self, Store};
//% else
use example_service::store::{self, Draft, Store};
//% endif

#[tokio::test]
async fn replicas_that_start_together_bring_the_schema_up_to_date_once() {
    let mut config = Config::load().unwrap();
    let _database = TestDatabase::empty(&mut config).await;
    let mut replicas = JoinSet::new();
    for _ in 0..5 {
        let config = config.store.clone();
        replicas.spawn(async move { store::bring_up_to_date(&config).await });
    }
    for started in replicas.join_all().await {
        started.unwrap();
    }
    let store = Store::new(&config.store).unwrap();
    //% if protocol == "events"
    store.count("1", "items.created", 2).await.unwrap();
    assert_eq!(store.tally("items.created").await.unwrap(), (1, 2));
    //% else
    let tea = Draft {
        name: "tea".to_owned(),
        quantity: 2,
    };
    let made = store.create(&tea).await.unwrap();
    assert_eq!(store.read(made.id).await.unwrap(), made);
    //% endif
    store.check()().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused_at_once() {
    let mut config = Config::load().unwrap();
    let _database = TestDatabase::for_service(&mut config).await;
    //% if store == "mysql"
    let pool = chassis_mysql::pool(&config.store).unwrap();
    //% endif
    //% if store == "postgres"
    let pool = chassis_postgres::pool(&config.store).unwrap();
    //% endif
    sqlx::query("UPDATE _sqlx_migrations SET version = version + 1000")
        .execute(&pool)
        .await
        .unwrap();
    let refused = store::bring_up_to_date(&config.store).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("cannot bring up to date"), "{told}");
}

#[tokio::test]
async fn the_password_is_shown_to_nobody() {
    let mut config = Config::load().unwrap();
    config.store.password = Some("wrong-but-secret".into());
    config.store.password_file = None;
    assert!(!format!("{config:?}").contains("wrong-but-secret"));
    let store = Store::new(&config.store).unwrap();
    let failed = store.check()().await.unwrap_err();
    assert!(!format!("{failed:?} {failed}").contains("wrong-but-secret"));
}

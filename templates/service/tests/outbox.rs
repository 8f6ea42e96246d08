//! What the service tells others of: all that it has done, nothing that it has not, whatever the broker does meanwhile.

//% if database
mod database;

//% endif
use std::sync::Arc;

use chassis_messaging::memory::Memory;
use chassis_messaging::outbox::Relay;
//% if database
use database::TestDatabase;
//% endif

use example_service::Config;
use example_service::store::{Draft, Store, StoreError};

//% if database
/// A store of its own, for as long as its database is kept.
async fn opened() -> (TestDatabase, Config, Store) {
    let mut config = Config::load().expect("the configuration is valid");
    let database = TestDatabase::for_service(&mut config).await;
    let store = Store::new(&config.store).unwrap();
    (database, config, store)
}
//% else
async fn opened() -> (Config, Store) {
    let mut config = Config::load().expect("the defaults are valid");
    config.store.path = ":memory:".to_owned();
    let store = Store::open(&config.store).await.unwrap();
    (config, store)
}
//% endif

fn tea() -> Draft {
    Draft {
        name: "tea".to_owned(),
        quantity: 2,
    }
}

#[tokio::test]
async fn each_change_is_published_in_order() {
    //% if database
    let (_database, config, store) = opened().await;
    //% else
    let (config, store) = opened().await;
    //% endif
    let item = store.create(&tea()).await.unwrap();
    store.replace(item.id, &tea()).await.unwrap();
    store.remove(item.id).await.unwrap();
    let (broker, relay) = (Memory::default(), Relay::new(&config.outbox));
    relay.start(store.waiting(), Arc::new(broker.clone()));
    let log = broker.until(|log| log.published.len() == 3).await;
    let kinds: Vec<_> = log.published.iter().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["items.created", "items.replaced", "items.removed"]);
    assert!(
        log.published
            .iter()
            .all(|event| event.key == item.id.to_string())
    );
    let body = String::from_utf8(log.published[0].body.clone()).unwrap();
    assert!(body.contains(r#""name":"tea","quantity":2"#), "{body}");
    relay.finish().await;
    assert_eq!(broker.log().published.len(), 3, "once is enough");
}

#[tokio::test]
async fn what_did_not_happen_is_not_published() {
    //% if database
    let (_database, config, store) = opened().await;
    //% else
    let (config, store) = opened().await;
    //% endif
    store.create(&tea()).await.unwrap();
    let taken = store.create(&tea()).await;
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    assert!(matches!(store.remove(77).await, Err(StoreError::NotFound)));
    let (broker, relay) = (Memory::default(), Relay::new(&config.outbox));
    relay.start(store.waiting(), Arc::new(broker.clone()));
    relay.finish().await;
    assert_eq!(broker.log().published.len(), 1);
}

#[tokio::test]
async fn events_wait_for_a_broker_that_is_gone() {
    //% if database
    let (_database, config, store) = opened().await;
    //% else
    let (config, store) = opened().await;
    //% endif
    let (broker, relay) = (Memory::default(), Relay::new(&config.outbox));
    broker.stop();
    relay.start(store.waiting(), Arc::new(broker.clone()));
    // Requests do not wait for it.
    store.create(&tea()).await.unwrap();
    assert!(broker.log().published.is_empty());
    broker.start();
    broker.until(|log| log.published.len() == 1).await;
    relay.finish().await;
}

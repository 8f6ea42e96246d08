//! What the service does with events that come as real brokers deliver them: late, twice, broken.

//% if calls
mod callees;
//% endif
//% if database
mod database;
//% endif
//% if calls or database

//% endif
use std::sync::Arc;
use std::time::Duration;

use chassis::health::Health;
use chassis_messaging::memory::Memory;
use chassis_messaging::message::{Malformed, Message};
use tokio::sync::watch;
use tokio::task::JoinHandle;

//% if calls
use callees::Callees;
//% endif
//% if database
use database::TestDatabase;
//% endif
//% if calls or database

//% endif
use example_service::handler::Events;
//% if store != "none"
use example_service::store::Store;
//% endif
use example_service::{Config, build};

/// The service at work, in this process.
struct Working {
    broker: Memory,
    //% if calls
    callees: Callees,
    //% endif
    //% if database
    _database: TestDatabase,
    //% endif
    health: Health,
    //% if store != "none"
    store: Store,
    //% endif
    stopping: watch::Sender<bool>,
    job: JoinHandle<()>,
}

async fn working(broker: &Memory, change: impl FnOnce(&mut Config)) -> Working {
    let mut config = Config::load().expect("the defaults are valid");
    //% if database
    let database = TestDatabase::for_service(&mut config).await;
    //% endif
    //% if store == "sqlite"
    config.store.path = ":memory:".to_owned();
    //% endif
    config.consumer.backoff = Duration::from_millis(10);
    change(&mut config);
    //% if database
    let store = Store::new(&config.store).unwrap();
    //% endif
    //% if store == "sqlite"
    let store = Store::open(&config.store).await.unwrap();
    //% endif
    //% if calls
    let callees = Callees::default();
    let clients = callees.clients(&config);
    //% endif
    //% if calls and store != "none"
    let events = Events {
        clients,
        store: store.clone(),
    };
    //% elif calls
    let events = Events { clients };
    //% elif store != "none"
    let events = Events {
        store: store.clone(),
    };
    //% else
    let events = Events;
    //% endif
    let (job, checks) = build(&config, Arc::new(broker.clone()), events);
    let health = Health::default();
    health.set_started(checks);
    let (stopping, told) = watch::channel(false);
    Working {
        broker: broker.clone(),
        //% if calls
        callees,
        //% endif
        //% if database
        _database: database,
        //% endif
        health,
        //% if store != "none"
        store,
        //% endif
        stopping,
        job: tokio::spawn(job(told)),
    }
}

fn created(quantity: u32) -> Message {
    let item = [("id", 1), ("quantity", quantity)];
    let item: std::collections::BTreeMap<_, _> = item.into();
    Message::new("items.created", 1, &item).unwrap()
}

#[tokio::test]
async fn an_event_is_acknowledged_after_it_is_handled() {
    let working = working(&Memory::default(), |_| {}).await;
    for quantity in [2, 3] {
        working.broker.deliver(Ok(created(quantity)));
    }
    working.broker.until(|log| log.accepted.len() == 2).await;
    //% if store != "none"
    assert_eq!(working.store.tally("items.created").await.unwrap(), (2, 5));
    //% endif
}

//% if store != "none"
#[tokio::test]
async fn an_event_that_comes_twice_counts_once() {
    let working = working(&Memory::default(), |_| {}).await;
    let event = created(2);
    for _ in 0..3 {
        working.broker.deliver(Ok(event.clone()));
    }
    working.broker.until(|log| log.accepted.len() == 3).await;
    assert_eq!(working.store.tally("items.created").await.unwrap(), (1, 2));
}

//% endif
#[tokio::test]
async fn what_nobody_can_read_is_put_aside_at_once_and_stops_nothing() {
    let working = working(&Memory::default(), |_| {}).await;
    let mut unreadable = created(1);
    unreadable.body = b"{".to_vec();
    working.broker.deliver(Ok(unreadable.clone()));
    working.broker.deliver(Err(Malformed {
        id: None,
        problem: "it has no header `message-id`".to_owned(),
        body: Vec::new(),
    }));
    working.broker.deliver(Ok(created(1)));
    let log = working
        .broker
        .until(|log| log.accepted.len() == 1 && log.put_aside.len() == 2)
        .await;
    assert!(log.retried.is_empty(), "{:?}", log.retried);
    assert!(log.put_aside.iter().any(|(id, _)| *id == unreadable.id));
}

//% if calls
#[tokio::test]
async fn an_event_waits_for_a_called_service_that_is_gone() {
    let working = working(&Memory::default(), |_| {}).await;
    working.callees.stop();
    let event = created(2);
    working.broker.deliver(Ok(event.clone()));
    let log = working.broker.until(|log| !log.retried.is_empty()).await;
    assert_eq!(log.retried[0].0, event.id);
    assert!(log.accepted.is_empty() && log.put_aside.is_empty());
    //% if store != "none"
    assert_eq!(working.store.tally("items.created").await.unwrap(), (0, 0));
    //% endif

    working.callees.start();
    working.broker.until(|log| log.accepted.len() == 1).await;
    //% if store != "none"
    assert_eq!(working.store.tally("items.created").await.unwrap(), (1, 2));
    //% endif
}

#[tokio::test]
async fn calls_are_part_of_the_trace_that_the_event_came_from() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let working = working(&Memory::default(), |_| {}).await;
    let mut event = created(2);
    event.trace = Some(format!("00-{TRACE}-00f067aa0ba902b7-01"));
    working.broker.deliver(Ok(event));
    working.broker.until(|log| log.accepted.len() == 1).await;
    let calls = working.callees.traces();
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|call| call.contains(TRACE)), "{calls:?}");
}

//% endif
#[tokio::test]
async fn a_broker_that_comes_back_is_read_again() {
    let broker = Memory::default();
    broker.stop();
    let working = working(&broker, |_| {}).await;
    assert!(working.health.readiness().await.is_err());
    broker.start();
    broker.deliver(Ok(created(1)));
    broker.until(|log| log.accepted.len() == 1).await;
    assert!(working.health.readiness().await.is_ok());

    broker.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(working.health.readiness().await.is_err());
    broker.start();
    broker.deliver(Ok(created(1)));
    broker.until(|log| log.accepted.len() == 2).await;
}

#[tokio::test]
async fn it_stops_without_leaving_an_event_half_done() {
    let working = working(&Memory::default(), |_| {}).await;
    for _ in 0..50 {
        working.broker.deliver(Ok(created(1)));
    }
    working.broker.until(|log| !log.accepted.is_empty()).await;
    working.stopping.send_replace(true);
    working.job.await.unwrap();
    let accepted = working.broker.log().accepted.len();
    //% if store != "none"
    let (events, _) = working.store.tally("items.created").await.unwrap();
    assert_eq!(events, accepted as i64, "what is done is acknowledged");
    //% endif
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        working.broker.log().accepted.len(),
        accepted,
        "nothing goes on after it"
    );
}

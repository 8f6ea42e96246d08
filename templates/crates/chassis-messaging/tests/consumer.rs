//! What becomes of messages whose handler fails, hangs, panics or is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chassis_messaging::consumer::{Consumer, Consumption, Handled, Handler, HandlerError};
use chassis_messaging::memory::Memory;
use chassis_messaging::message::Message;
use chassis_messaging::names::Reader;
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn consumption() -> Consumption {
    Consumption {
        max_in_flight: 4,
        handler_timeout: Duration::from_secs(2),
        max_attempts: 4,
        backoff: Duration::from_millis(500),
        max_backoff: Duration::from_secs(1),
        drain: Duration::from_secs(20),
        grace: Duration::from_secs(35),
    }
}

/// Does what the message's type says.
#[derive(Clone, Default)]
struct Obedient {
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Handler for Obedient {
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let at_once = 1 + self.at_once.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(at_once, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match &*message.kind {
            "fail" => Err(HandlerError::NotNow("it does not work".into())),
            "refuse" => Err(HandlerError::Never("it makes no sense".into())),
            "hang" => std::future::pending().await,
            "panic" => panic!("as it was told"),
            _ => Ok(Handled::Now),
        }
    }
}

fn consuming(broker: &Memory, handler: Obedient) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stopping, told) = watch::channel(false);
    let reader = Reader::new("stock", "orders");
    let consumer = Consumer::new(reader, &consumption(), Arc::new(broker.clone()), handler);
    (stopping, tokio::spawn(consumer.run(told)))
}

fn message(kind: &str) -> Message {
    Message::new(kind, 1, &()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_after_growing_pauses_and_put_aside_in_the_end() {
    for kind in ["fail", "hang", "panic"] {
        let broker = Memory::default();
        let _working = consuming(&broker, Obedient::default());
        let message = message(kind);
        broker.deliver(Ok(message.clone()));
        let log = broker.until(|log| !log.put_aside.is_empty()).await;
        let pauses: Vec<_> = log
            .retried
            .iter()
            .map(|(_, pause)| pause.as_millis())
            .collect();
        assert_eq!(pauses, [500, 1000, 1000], "{kind}");
        assert_eq!(log.put_aside[0].0, message.id);
        assert!(log.accepted.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_works_is_not_tried_again() {
    let broker = Memory::default();
    let _working = consuming(&broker, Obedient::default());
    broker.deliver(Ok(message("refuse")));
    let log = broker.until(|log| !log.put_aside.is_empty()).await;
    assert_eq!(log.put_aside[0].1, "it makes no sense");
    assert!(log.retried.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_are_handled_at_once_than_there_is_room_for() {
    let (broker, handler) = (Memory::default(), Obedient::default());
    for _ in 0..20 {
        broker.deliver(Ok(message("work")));
    }
    let _working = consuming(&broker, handler.clone());
    broker.until(|log| log.accepted.len() == 20).await;
    assert_eq!(
        handler.most.load(Ordering::SeqCst),
        consumption().max_in_flight
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_finished_and_nothing_else_is_begun() {
    let broker = Memory::default();
    for _ in 0..20 {
        broker.deliver(Ok(message("work")));
    }
    let (stopping, working) = consuming(&broker, Obedient::default());
    tokio::time::sleep(Duration::from_millis(50)).await;
    stopping.send_replace(true);
    working.await.unwrap();
    assert_eq!(broker.log().accepted.len(), consumption().max_in_flight);
}

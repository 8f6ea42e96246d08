//! A broker in memory, for tests: it delivers what is published, again when it is told so, and keeps what is put aside.
//! It can be stopped, as real ones are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::{BoxFuture, Error};
use tokio::sync::Notify;

use crate::broker::{Delivery, Published, Publisher, Receipt, Subscriber, Subscription};
use crate::consumer::Consumption;
use crate::message::{Malformed, Message};
use crate::names::Reader;

/// Clones share it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    stopped: bool,
    waiting: VecDeque<Waiting>,
    log: Log,
}

/// What has happened so far.
#[derive(Clone, Default)]
pub struct Log {
    /// All that was published, duplicates too.
    pub published: Vec<Message>,
    /// Ids of what was acknowledged.
    pub accepted: Vec<String>,
    /// Ids, and how long until the next attempt.
    pub retried: Vec<(String, Duration)>,
    /// Ids and reasons.
    pub put_aside: Vec<(String, String)>,
}

#[derive(Clone)]
struct Waiting {
    message: Result<Message, Malformed>,
    attempt: u32,
}

impl Memory {
    /// Neither takes messages nor delivers any, until it is started again.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.0.changed.notify_waiters();
    }

    pub fn start(&self) {
        self.lock().stopped = false;
        self.0.changed.notify_waiters();
    }

    /// Delivers this, whoever sent it.
    pub fn deliver(&self, message: Result<Message, Malformed>) {
        self.requeue(Waiting {
            message,
            attempt: 1,
        });
    }

    pub fn log(&self) -> Log {
        self.lock().log.clone()
    }

    /// Waits until what has happened is as wanted; a test that waits for longer than a moment fails.
    pub async fn until(&self, wanted: impl Fn(&Log) -> bool) -> Log {
        let reached = async {
            loop {
                let log = self.log();
                if wanted(&log) {
                    return log;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.expect("it does not happen")
    }

    fn requeue(&self, waiting: Waiting) {
        self.lock().waiting.push_back(waiting);
        self.0.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher for Memory {
    fn publish<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Published> {
        let mut state = self.lock();
        let published = if state.stopped {
            let failure = Some("the broker is stopped".into());
            Published {
                confirmed: 0,
                failure,
            }
        } else {
            for message in messages {
                state.log.published.push(message.clone());
                let message = Ok(message.clone());
                state.waiting.push_back(Waiting {
                    message,
                    attempt: 1,
                });
            }
            let confirmed = messages.len();
            Published {
                confirmed,
                failure: None,
            }
        };
        drop(state);
        self.0.changed.notify_waiters();
        Box::pin(async move { published })
    }
}

impl Subscriber for Memory {
    fn subscribe<'a>(
        &'a self,
        _: &'a Reader,
        _: &'a Consumption,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        let subscribed = match self.lock().stopped {
            true => Err("the broker is stopped".into()),
            false => Ok(Box::new(self.clone()) as Box<dyn Subscription>),
        };
        Box::pin(async move { subscribed })
    }
}

impl Subscription for Memory {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async move {
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let mut state = self.lock();
                    if state.stopped {
                        return Err("the broker is stopped".into());
                    }
                    if let Some(waiting) = state.waiting.pop_front() {
                        let receipt = Box::new(InMemory {
                            memory: self.clone(),
                            waiting: Some(waiting.clone()),
                        });
                        let Waiting { message, attempt } = waiting;
                        return Ok(Delivery {
                            message,
                            attempt,
                            receipt,
                        });
                    }
                }
                changed.await;
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// One that is dropped untold puts the message back.
struct InMemory {
    memory: Memory,
    waiting: Option<Waiting>,
}

impl InMemory {
    /// Writes down what became of the message, unless the broker is gone.
    fn told(mut self, write: impl FnOnce(&mut Log, String)) -> Result<Option<Waiting>, Error> {
        let mut state = self.memory.lock();
        if state.stopped {
            return Err("the broker is stopped".into());
        }
        let id = match self.waiting.as_ref().map(|waiting| &waiting.message) {
            Some(Ok(message)) => message.id.clone(),
            Some(Err(malformed)) => malformed.id.clone().unwrap_or_default(),
            None => String::new(),
        };
        write(&mut state.log, id);
        drop(state);
        Ok(self.waiting.take())
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.attempt += 1;
            self.memory.requeue(waiting);
        }
    }
}

impl Receipt for InMemory {
    fn accept(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        let told = (*self).told(|log, id| log.accepted.push(id));
        Box::pin(async move { told.map(drop) })
    }

    fn retry(self: Box<Self>, after: Duration) -> BoxFuture<'static, Result<(), Error>> {
        let memory = self.memory.clone();
        let told = (*self).told(|log, id| log.retried.push((id, after)));
        Box::pin(async move {
            if let Some(mut waiting) = told? {
                waiting.attempt += 1;
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    memory.requeue(waiting);
                });
            }
            Ok(())
        })
    }

    fn put_aside(self: Box<Self>, reason: String) -> BoxFuture<'static, Result<(), Error>> {
        let told = (*self).told(|log, id| log.put_aside.push((id, reason)));
        Box::pin(async move { told.map(drop) })
    }
}

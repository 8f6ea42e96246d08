//! Takes messages and has them handled, so many at once. What is handled is acknowledged after it; what fails is tried
//! again after a pause that grows, and put aside in the end; what can never be handled is put aside at once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chassis::Error;
use chassis::config::{ConfigError, LAST_TELEMETRY, TimeLimit, invalid, millis};
use chassis::health::Outcome;
use chassis_telemetry::export::{Work, finished};
use chassis_telemetry::message::{MessageContext, handling};
use futures_util::FutureExt;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::broker::{Delivery, Subscriber, Subscription};
use crate::message::Message;
use crate::metrics;
use crate::names::Reader;

/// The first pause after the broker has failed; it doubles …
const PAUSE: Duration = Duration::from_millis(200);
/// … up to this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A broker that does not let it read within this time has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// How messages are consumed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// So many messages are handled at once.
    pub max_in_flight: usize,
    /// For one attempt to handle a message.
    #[serde(rename = "handler_timeout_ms", deserialize_with = "millis")]
    pub handler_timeout: Duration,
    /// After so many a message is put aside.
    pub max_attempts: u32,
    /// The pause after the first attempt; it doubles …
    #[serde(rename = "backoff_ms", deserialize_with = "millis")]
    pub backoff: Duration,
    /// … up to this.
    #[serde(rename = "max_backoff_ms", deserialize_with = "millis")]
    pub max_backoff: Duration,
    /// After SIGTERM, how long messages in flight may take.
    #[serde(rename = "drain_ms", deserialize_with = "millis")]
    pub drain: Duration,
    /// When the platform kills the process after SIGTERM.
    #[serde(rename = "grace_ms", deserialize_with = "millis")]
    pub grace: Duration,
}

/// What a service does with messages.
pub trait Handler: Send + Sync + 'static {
    /// Handles a message, which may have been handled before: see [`Handled::Before`].
    fn handle(
        &self,
        message: &Message,
    ) -> impl Future<Output = Result<Handled, HandlerError>> + Send;
}

/// How a message was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    Now,
    /// It had been already, and nothing was done.
    Before,
}

/// Why a message was not handled.
#[derive(Debug)]
pub enum HandlerError {
    /// It may work later.
    NotNow(Error),
    /// It will not, however often it is tried.
    Never(Error),
}

impl Consumption {
    /// Refuses numbers that contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, is_zero) in [
            ("consumer.max_in_flight", self.max_in_flight == 0),
            (
                "consumer.handler_timeout_ms",
                self.handler_timeout.is_zero(),
            ),
            ("consumer.max_attempts", self.max_attempts == 0),
            ("consumer.backoff_ms", self.backoff.is_zero()),
        ] {
            if is_zero {
                return Err(invalid(key, "must be more than 0"));
            }
        }
        if self.max_backoff < self.backoff {
            let problem = "must not be less than `consumer.backoff_ms`";
            return Err(invalid("consumer.max_backoff_ms", problem));
        }
        if self.drain < self.handler_timeout {
            let problem = "is shorter than `consumer.handler_timeout_ms`: messages in flight would be given up";
            return Err(invalid("consumer.drain_ms", problem));
        }
        if self.drain + LAST_TELEMETRY >= self.grace {
            let problem = "does not fit into `consumer.grace_ms`: the process would be killed while it drains";
            return Err(invalid("consumer.drain_ms", problem));
        }
        Ok(())
    }

    /// Of one attempt to handle a message.
    pub fn time_limit(&self) -> TimeLimit {
        TimeLimit {
            key: "consumer.handler_timeout_ms",
            limit: self.handler_timeout,
        }
    }

    /// The pause after this many attempts.
    pub fn pause(&self, attempts: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.backoff.saturating_mul(doubled).min(self.max_backoff)
    }
}

/// Reads one service's events.
pub struct Consumer<H> {
    reader: Reader,
    consumption: Consumption,
    subscriber: Arc<dyn Subscriber>,
    handler: Arc<H>,
    reading: Arc<AtomicBool>,
}

impl<H: Handler> Consumer<H> {
    pub fn new(
        reader: Reader,
        consumption: &Consumption,
        subscriber: Arc<dyn Subscriber>,
        handler: H,
    ) -> Self {
        Self {
            reader,
            consumption: consumption.clone(),
            subscriber,
            handler: Arc::new(handler),
            reading: Arc::default(),
        }
    }

    /// For readiness: the broker lets it read.
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + 'static {
        let reading = self.reading.clone();
        move || {
            let reading = reading.load(Ordering::Relaxed);
            Box::pin(async move {
                match reading {
                    true => Ok(()),
                    false => Err("the broker cannot be read from".into()),
                }
            })
        }
    }

    /// Consumes until `stopping`, then finishes what is in flight. A broker that goes away is waited for.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(self.consumption.max_in_flight));
        let mut failures = 0;
        while !*stopping.borrow() {
            let subscribed = self.subscriber.subscribe(&self.reader, &self.consumption);
            let subscribed = tokio::select! {
                subscribed = timeout(PATIENCE, subscribed) => subscribed,
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            let error = match subscribed {
                Ok(Ok(mut subscription)) => {
                    failures = 0;
                    self.reading.store(true, Ordering::Relaxed);
                    tracing::info!(source = self.reader.source, "reading");
                    let ended = self.read(&mut *subscription, &places, &mut stopping).await;
                    self.reading.store(false, Ordering::Relaxed);
                    match ended {
                        Ok(()) => return self.drain(&mut *subscription, &places).await,
                        Err(error) => error,
                    }
                }
                Ok(Err(error)) => error,
                Err(_) => "the broker does not answer".into(),
            };
            failures += 1;
            let longest = PAUSE.saturating_mul(1 << failures.min(8)).min(PAUSE_MAX);
            tracing::warn!(
                error = &*error as &(dyn std::error::Error + 'static),
                "cannot read from the broker: trying again"
            );
            drop(error);
            tokio::select! {
                () = sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        }
    }

    /// Takes a message when there is room for it, until told to stop.
    async fn read(
        &self,
        subscription: &mut dyn Subscription,
        places: &Arc<Semaphore>,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await?;
                let delivery = subscription.next(1 + places.available_permits()).await?;
                Ok::<_, Error>((place, delivery))
            };
            let (place, delivery) = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
                next = next => next?,
            };
            let task = Task {
                source: self.reader.source.clone(),
                consumption: self.consumption.clone(),
                handler: self.handler.clone(),
            };
            tokio::spawn(async move {
                task.complete(delivery).await;
                drop(place);
            });
        }
    }

    async fn drain(&self, subscription: &mut dyn Subscription, places: &Semaphore) {
        let all = u32::try_from(self.consumption.max_in_flight).unwrap_or(u32::MAX);
        if timeout(self.consumption.drain, places.acquire_many(all))
            .await
            .is_err()
        {
            tracing::warn!(
                "stopped with messages unfinished after `consumer.drain_ms`: they come again"
            );
        }
        // Last, because what is in flight is acknowledged by the same way.
        subscription.close().await;
    }
}

/// What is to be done with a delivery.
struct Task<H> {
    source: String,
    consumption: Consumption,
    handler: Arc<H>,
}

impl<H: Handler> Task<H> {
    async fn complete(self, delivery: Delivery) {
        metrics::IN_FLIGHT.inc();
        let began = Instant::now();
        let Delivery {
            message,
            attempt,
            receipt,
        } = delivery;
        let (outcome, told) = match message {
            Err(malformed) => {
                tracing::error!(problem = malformed.problem, "a message is put aside");
                ("malformed", receipt.put_aside(malformed.problem).await)
            }
            Ok(message) => {
                let context = Arc::new(MessageContext {
                    trace: message.trace_context(),
                    source: self.source.clone(),
                    id: message.id.clone(),
                    kind: message.kind.clone(),
                });
                let completed = self.settle(&message, attempt, receipt);
                let completed = handling(context.clone(), completed).await;
                let outcome = completed.0;
                finished(context.trace, began.elapsed(), || Work::Message {
                    message: context.clone(),
                    outcome,
                });
                completed
            }
        };
        metrics::IN_FLIGHT.dec();
        metrics::consumed(&self.source, outcome);
        let durations = metrics::DURATIONS.get_or_create_owned(&vec![("source", self.source)]);
        durations.observe(began.elapsed().as_secs_f64());
        if let Err(error) = told {
            let error = &*error as &(dyn std::error::Error + 'static);
            tracing::warn!(
                error,
                outcome,
                "the broker was not told, and delivers a message again"
            );
        }
    }

    /// Handles a message and tells the broker. What became of it, and whether the broker knows.
    async fn settle(
        &self,
        message: &Message,
        attempt: u32,
        receipt: Box<dyn crate::broker::Receipt>,
    ) -> (&'static str, Result<(), Error>) {
        // The attempts before it ended a process, or could not be told.
        if attempt > self.consumption.max_attempts {
            return self
                .give_up(attempt - 1, "it was never acknowledged".into(), receipt)
                .await;
        }
        let began = Instant::now();
        match self.handle(message).await {
            Ok(handled) => {
                let outcome = match handled {
                    Handled::Now => "handled",
                    Handled::Before => "duplicate",
                };
                let latency_ms = began.elapsed().as_micros() as f64 / 1000.0;
                tracing::info!(outcome, attempt, latency_ms, "message handled");
                (outcome, receipt.accept().await)
            }
            Err(HandlerError::NotNow(error)) if attempt < self.consumption.max_attempts => {
                let pause = self.consumption.pause(attempt);
                tracing::warn!(
                    error = &*error as &(dyn std::error::Error + 'static),
                    attempt,
                    retry_in_ms = pause.as_millis() as u64,
                    "message not handled"
                );
                ("retried", receipt.retry(pause).await)
            }
            Err(HandlerError::NotNow(error) | HandlerError::Never(error)) => {
                self.give_up(attempt, error, receipt).await
            }
        }
    }

    async fn give_up(
        &self,
        attempts: u32,
        error: Error,
        receipt: Box<dyn crate::broker::Receipt>,
    ) -> (&'static str, Result<(), Error>) {
        let reason = error.to_string();
        tracing::error!(error = reason, attempts, "a message is put aside");
        drop(error);
        ("dead", receipt.put_aside(reason).await)
    }

    /// A handler that panics or hangs has failed.
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let handled = AssertUnwindSafe(self.handler.handle(message)).catch_unwind();
        match timeout(self.consumption.handler_timeout, handled).await {
            Ok(Ok(handled)) => handled,
            Ok(Err(_)) => Err(HandlerError::NotNow("the handler panicked".into())),
            Err(_) => {
                let late = "it took longer than `consumer.handler_timeout_ms`";
                Err(HandlerError::NotNow(late.into()))
            }
        }
    }
}

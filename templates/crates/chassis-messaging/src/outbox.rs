//! The transactional outbox: what is to be published is written in the transaction that it tells of, and published from
//! there. A crash in between loses nothing; one after the broker's confirmation publishes a message again, under the
//! same id.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::config::{ConfigError, LAST_TELEMETRY, Server, invalid, millis};
use chassis::{BoxFuture, Error};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::broker::Publisher;
use crate::metrics;

/// The longest pause when the broker or the database fails; it doubles up to this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How the outbox is published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relaying {
    /// How often it is looked into.
    #[serde(rename = "poll_ms", deserialize_with = "millis")]
    pub poll: Duration,
    /// So many messages are published at once.
    pub batch: u32,
    /// How long the broker may take for them.
    #[serde(rename = "publish_timeout_ms", deserialize_with = "millis")]
    pub publish_timeout: Duration,
    /// How long the last ones may take when the service stops. Others stay for the next start.
    #[serde(rename = "drain_ms", deserialize_with = "millis")]
    pub drain: Duration,
}

impl Relaying {
    /// Refuses numbers that contradict each other.
    pub fn check(&self, server: &Server) -> Result<(), ConfigError> {
        for (key, is_zero) in [
            ("outbox.poll_ms", self.poll.is_zero()),
            ("outbox.batch", self.batch == 0),
            ("outbox.publish_timeout_ms", self.publish_timeout.is_zero()),
        ] {
            if is_zero {
                return Err(invalid(key, "must be more than 0"));
            }
        }
        if server.linger + server.drain + self.drain + LAST_TELEMETRY >= server.grace {
            let problem = "and `server.drain_ms` do not fit into `server.grace_ms`: the process would be killed while it publishes";
            return Err(invalid("outbox.drain_ms", problem));
        }
        Ok(())
    }
}

/// Messages that wait in the service's database.
pub trait Outbox: Send + Sync + 'static {
    /// Publishes the oldest, `batch` at most, and forgets those that are confirmed. Says how many that were. Does nothing
    /// while another replica does the same.
    fn publish_oldest<'a>(
        &'a self,
        publisher: &'a dyn Publisher,
        batch: u32,
    ) -> BoxFuture<'a, Result<usize, Error>>;
}

/// Publishes what is in the outbox, in the background.
pub struct Relay {
    relaying: Relaying,
    stopping: watch::Sender<bool>,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Relay {
    pub fn new(relaying: &Relaying) -> Self {
        Self {
            relaying: relaying.clone(),
            stopping: watch::Sender::new(false),
            running: Mutex::default(),
        }
    }

    /// Publishes from now on.
    pub fn start(&self, outbox: impl Outbox, publisher: Arc<dyn Publisher>) {
        let (relaying, stopping) = (self.relaying.clone(), self.stopping.subscribe());
        let relay = tokio::spawn(relay(outbox, publisher, relaying, stopping));
        *self.running() = Some(relay);
    }

    /// Publishes what is left, in the time that there is.
    pub async fn finish(&self) {
        self.stopping.send_replace(true);
        let running = self.running().take();
        if let Some(mut running) = running
            && timeout(self.relaying.drain, &mut running).await.is_err()
        {
            tracing::warn!("stopped with messages in the outbox: the next start publishes them");
            running.abort();
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn relay(
    outbox: impl Outbox,
    publisher: Arc<dyn Publisher>,
    relaying: Relaying,
    mut stopping: watch::Receiver<bool>,
) {
    let mut failures = 0;
    loop {
        let published = outbox.publish_oldest(&*publisher, relaying.batch);
        let published = match timeout(relaying.publish_timeout, published).await {
            Ok(published) => published,
            Err(_) => {
                Err("the broker does not confirm in time (`outbox.publish_timeout_ms`)".into())
            }
        };
        let pause = match published {
            Ok(published) => {
                if failures > 0 {
                    tracing::info!("messages are published again");
                }
                failures = 0;
                if published > 0 {
                    continue;
                }
                if *stopping.borrow() {
                    return;
                }
                relaying.poll
            }
            Err(error) => {
                metrics::PUBLISH_FAILURES.inc();
                tracing::warn!(
                    error = &*error as &(dyn std::error::Error + 'static),
                    "messages wait in the outbox"
                );
                failures += 1;
                backoff(relaying.poll, failures)
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping), if !*stopping.borrow() => {}
        }
    }
}

/// Doubles with each failure; half of it is by chance, so that replicas do not come together.
fn backoff(first: Duration, failures: u32) -> Duration {
    let longest = first.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

//! So many connections at once. When all places are taken, a newcomer gets the place of the connection that has been
//! silent for the longest: callers that only hold connections open cannot keep the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The places of one port.
pub struct ConnectionLimit {
    max: u32,
    free: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    places: HashMap<u64, (Arc<Silence>, OwnedSemaphorePermit)>,
}

/// The place of one connection. It is free again when this is dropped.
pub struct Place {
    number: u64,
    silence: Arc<Silence>,
    limit: Arc<ConnectionLimit>,
}

/// Since when the server waits for a caller: not while it works on a request or sends an answer.
pub struct Silence {
    since: Mutex<Option<Instant>>,
    given_away: Notify,
}

impl ConnectionLimit {
    pub fn new(max: u32) -> Self {
        Self {
            max,
            free: Arc::new(Semaphore::new(max as usize)),
            taken: Mutex::default(),
        }
    }

    pub fn taken(&self) -> usize {
        self.max as usize - self.free.available_permits()
    }

    pub fn is_full(&self) -> bool {
        self.free.available_permits() == 0
    }

    /// A place for a connection. `None` when every other connection is being answered.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let free = self.free.clone().try_acquire_owned().ok();
        let mut taken = self.lock();
        let permit = free.or_else(|| taken.take_from_the_longest_silent())?;
        let silence = Arc::new(Silence::begin());
        let number = taken.next;
        taken.next += 1;
        taken.places.insert(number, (silence.clone(), permit));
        Some(Place {
            number,
            silence,
            limit: self.clone(),
        })
    }

    /// Completes when nobody has a place.
    pub async fn all_left(&self) {
        _ = self.free.acquire_many(self.max).await;
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take_from_the_longest_silent(&mut self) -> Option<OwnedSemaphorePermit> {
        let silent = self
            .places
            .iter()
            .filter_map(|(number, (silence, _))| Some((silence.since()?, *number)));
        let (_, number) = silent.min()?;
        let (silence, permit) = self.places.remove(&number)?;
        silence.given_away.notify_one();
        Some(permit)
    }
}

impl Place {
    pub fn silence(&self) -> &Arc<Silence> {
        &self.silence
    }

    /// Completes when another connection has got this place.
    pub async fn given_away(&self) {
        self.silence.given_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limit.lock().places.remove(&self.number);
    }
}

impl Silence {
    fn begin() -> Self {
        Self {
            since: Mutex::new(Some(Instant::now())),
            given_away: Notify::new(),
        }
    }

    /// The caller's turn begins.
    pub fn start(&self) {
        self.set(Some(Instant::now()));
    }

    /// The server's turn begins.
    pub fn end(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when it has lasted for `limit`. Looks only now and then, so that a request costs no timer.
    pub async fn longer_than(&self, limit: Duration) {
        let mut look = Instant::now() + limit;
        loop {
            sleep_until(look).await;
            let now = Instant::now();
            look = self.since().unwrap_or(now) + limit;
            if look <= now {
                return;
            }
        }
    }
}

//! Circuit breaker: a dependency that fails is left alone for a while, so that callers need not wait for it and it has
//! the peace to recover.
//!
//! Closed, it counts outcomes in a sliding window. When enough of them failed it opens and refuses at once. After a
//! pause, longer each time in a row, a few probes are let through: when all succeed it closes, when one fails it opens
//! again. Every change of state starts a new generation, and an outcome counts only in the one that let it in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::CallError;

/// The window's resolution: it slides by a tenth of its length.
const BUCKETS: u64 = 10;
/// The pause is up to this much longer, so that callers do not return all at once.
const JITTER: f64 = 0.2;

/// When to open, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Opens at this share of failures, 0 to 1, …
    pub failure_ratio: f64,
    /// … once there are this many outcomes …
    pub min_calls: u32,
    /// … in the time that lies this far back.
    pub window: Duration,
    /// The first pause; each further one in a row is twice as long …
    pub open: Duration,
    /// … up to this.
    pub open_max: Duration,
    /// How many calls are let through to see whether the dependency is back.
    pub probes: u32,
}

/// What the breaker does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed,
    HalfOpen,
    Open,
}

/// One dependency's breaker.
pub struct CircuitBreaker {
    thresholds: Thresholds,
    inner: Mutex<Inner>,
    on_change: Box<dyn Fn(State) + Send + Sync>,
}

struct Inner {
    phase: Phase,
    generation: u64,
    /// Times it opened without having closed in between.
    openings: u32,
}

enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen { admitted: u32, succeeded: u32 },
}

/// Leave to call. Dropped without an outcome, because the call was cancelled, it counts for nothing and a probe's place
/// is free again.
pub struct Permit {
    breaker: Arc<CircuitBreaker>,
    generation: u64,
    outcome: Option<bool>,
}

impl CircuitBreaker {
    /// `on_change` is told each new state, in order; it must be quick.
    pub fn new(
        thresholds: Thresholds,
        on_change: impl Fn(State) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let inner = Inner {
            phase: Phase::Closed(Window::new(thresholds.window)),
            generation: 0,
            openings: 0,
        };
        Arc::new(Self {
            thresholds,
            inner: Mutex::new(inner),
            on_change: Box::new(on_change),
        })
    }

    /// Leave to call now, or how long to wait before asking again.
    pub fn acquire(self: &Arc<Self>) -> Result<Permit, Duration> {
        let mut inner = self.lock();
        let now = Instant::now();
        if let Phase::Open { until } = inner.phase {
            if now < until {
                return Err(until - now);
            }
            let probing = Phase::HalfOpen {
                admitted: 0,
                succeeded: 0,
            };
            self.enter(&mut inner, probing);
        }
        if let Phase::HalfOpen { admitted, .. } = &mut inner.phase {
            if *admitted == self.thresholds.probes {
                // The probes will tell; nobody knows when.
                return Err(self.thresholds.open);
            }
            *admitted += 1;
        }
        Ok(Permit {
            breaker: self.clone(),
            generation: inner.generation,
            outcome: None,
        })
    }

    fn settle(&self, generation: u64, outcome: Option<bool>) {
        let mut inner = self.lock();
        if generation != inner.generation {
            return;
        }
        let now = Instant::now();
        let probes = self.thresholds.probes;
        match (&mut inner.phase, outcome) {
            (Phase::Closed(window), Some(success)) => {
                window.record(now, success);
                if !success && window.is_failing(now, &self.thresholds) {
                    self.open(&mut inner, now);
                }
            }
            (Phase::HalfOpen { succeeded, .. }, Some(true)) => {
                *succeeded += 1;
                if *succeeded == probes {
                    inner.openings = 0;
                    let window = Window::new(self.thresholds.window);
                    self.enter(&mut inner, Phase::Closed(window));
                }
            }
            (Phase::HalfOpen { .. }, Some(false)) => self.open(&mut inner, now),
            (Phase::HalfOpen { admitted, .. }, None) => *admitted -= 1,
            (Phase::Closed(_), None) | (Phase::Open { .. }, _) => {}
        }
    }

    fn open(&self, inner: &mut Inner, now: Instant) {
        let doubled = self
            .thresholds
            .open
            .saturating_mul(1 << inner.openings.min(16));
        let pause = doubled.min(self.thresholds.open_max);
        inner.openings += 1;
        let until = now + pause.mul_f64(1.0 + JITTER * fastrand::f64());
        self.enter(inner, Phase::Open { until });
    }

    fn enter(&self, inner: &mut Inner, phase: Phase) {
        let state = match phase {
            Phase::Closed(_) => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        };
        inner.phase = phase;
        inner.generation += 1;
        (self.on_change)(state);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// How the call ended.
    pub fn settle(mut self, success: bool) {
        self.outcome = Some(success);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.settle(self.generation, self.outcome);
    }
}

/// Outcomes of the last while, in a ring of time buckets.
struct Window {
    started: Instant,
    bucket: Duration,
    ring: [Bucket; BUCKETS as usize],
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// Which stretch of time this bucket holds now.
    tick: u64,
    succeeded: u32,
    failed: u32,
}

impl Window {
    fn new(length: Duration) -> Self {
        Self {
            started: Instant::now(),
            bucket: length / BUCKETS as u32,
            ring: [Bucket::default(); BUCKETS as usize],
        }
    }

    fn tick(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        (elapsed / self.bucket.as_nanos().max(1)) as u64
    }

    fn record(&mut self, now: Instant, success: bool) {
        let tick = self.tick(now);
        let bucket = &mut self.ring[(tick % BUCKETS) as usize];
        if bucket.tick != tick {
            *bucket = Bucket {
                tick,
                ..Bucket::default()
            };
        }
        match success {
            true => bucket.succeeded = bucket.succeeded.saturating_add(1),
            false => bucket.failed = bucket.failed.saturating_add(1),
        }
    }

    fn is_failing(&self, now: Instant, thresholds: &Thresholds) -> bool {
        let tick = self.tick(now);
        let recent = self.ring.iter().filter(|b| b.tick + BUCKETS > tick);
        let (succeeded, failed) = recent.fold((0_u64, 0_u64), |(succeeded, failed), bucket| {
            (
                succeeded + u64::from(bucket.succeeded),
                failed + u64::from(bucket.failed),
            )
        });
        let calls = succeeded + failed;
        calls >= u64::from(thresholds.min_calls)
            && failed as f64 >= thresholds.failure_ratio * calls as f64
    }
}

/// Puts a breaker around a service. `is_failure` says which answers count against the dependency.
#[derive(Clone)]
pub struct CircuitBreakerLayer<F> {
    pub breaker: Arc<CircuitBreaker>,
    pub is_failure: F,
}

impl<S, F: Clone> Layer<S> for CircuitBreakerLayer<F> {
    type Service = Guarded<S, F>;

    fn layer(&self, inner: S) -> Guarded<S, F> {
        Guarded {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind a breaker.
#[derive(Clone)]
pub struct Guarded<S, F> {
    inner: S,
    layer: CircuitBreakerLayer<F>,
}

impl<S, F, R> Service<R> for Guarded<S, F>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    F: Fn(&Result<S::Response, BoxError>) -> bool + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = crate::CallFuture<S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let permit = match self.layer.breaker.acquire() {
            Ok(permit) => permit,
            Err(retry_in) => {
                return Box::pin(async move { Err(CallError::CircuitOpen { retry_in }.into()) });
            }
        };
        let answer = self.inner.call(request);
        let is_failure = self.layer.is_failure.clone();
        Box::pin(async move {
            let result = answer.await;
            permit.settle(!is_failure(&result));
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A breaker with the default thresholds, and the states it went through.
    fn breaker() -> (Arc<CircuitBreaker>, Arc<Mutex<Vec<State>>>) {
        let states = Arc::new(Mutex::new(Vec::new()));
        let seen = states.clone();
        let thresholds = Thresholds {
            failure_ratio: 0.5,
            min_calls: 20,
            window: 10 * SECOND,
            open: 5 * SECOND,
            open_max: 60 * SECOND,
            probes: 3,
        };
        let breaker =
            CircuitBreaker::new(thresholds, move |state| seen.lock().unwrap().push(state));
        (breaker, states)
    }

    fn calls(breaker: &Arc<CircuitBreaker>, count: u32, success: bool) {
        for _ in 0..count {
            breaker.acquire().map(|permit| permit.settle(success)).ok();
        }
    }

    fn is_open(breaker: &Arc<CircuitBreaker>) -> bool {
        breaker.acquire().is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_half_of_twenty_and_not_before() {
        let (breaker, _) = breaker();
        calls(&breaker, 19, false);
        assert!(!is_open(&breaker), "too few to tell");
        calls(&breaker, 1, false);
        assert!(is_open(&breaker));

        let (breaker, _) = self::breaker();
        calls(&breaker, 21, true);
        calls(&breaker, 20, false);
        assert!(!is_open(&breaker), "20 of 41 is less than half");
        calls(&breaker, 1, false);
        assert!(is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_time_of_successes_does_not_outweigh_an_outage() {
        let (breaker, _) = breaker();
        calls(&breaker, 100_000, true);
        advance(11 * SECOND).await;
        calls(&breaker, 20, false);
        assert!(is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn old_failures_are_forgotten_bucket_by_bucket() {
        let (breaker, _) = breaker();
        for _ in 0..10 {
            calls(&breaker, 1, false);
            advance(SECOND).await;
        }
        // Nine are left.
        calls(&breaker, 10, false);
        assert!(!is_open(&breaker));
        calls(&breaker, 1, false);
        assert!(is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_hundred_callers_exactly_three_probe() {
        let (breaker, states) = breaker();
        calls(&breaker, 20, false);
        advance(6 * SECOND).await;
        let permits: Vec<Permit> = (0..200).filter_map(|_| breaker.acquire().ok()).collect();
        assert_eq!(permits.len(), 3);
        permits.into_iter().for_each(|permit| permit.settle(true));
        assert!(!is_open(&breaker));
        let states = states.lock().unwrap().clone();
        assert_eq!(states, [State::Open, State::HalfOpen, State::Closed]);
    }

    #[test]
    fn of_callers_on_many_threads_exactly_three_probe() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let thresholds = Thresholds {
                open: Duration::from_millis(1),
                ..breaker().0.thresholds
            };
            let breaker = CircuitBreaker::new(thresholds, |_| {});
            calls(&breaker, 20, false);
            tokio::time::sleep(Duration::from_millis(20)).await;
            let callers = (0..200).map(|_| {
                let breaker = breaker.clone();
                tokio::spawn(async move { breaker.acquire().ok() })
            });
            let mut permits = Vec::new();
            for caller in callers.collect::<Vec<_>>() {
                permits.extend(caller.await.unwrap());
            }
            assert_eq!(permits.len(), 3);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_probe_frees_its_place() {
        let (breaker, _) = breaker();
        calls(&breaker, 20, false);
        advance(6 * SECOND).await;
        let probes: Vec<Permit> = (0..3).filter_map(|_| breaker.acquire().ok()).collect();
        assert!(is_open(&breaker), "all places are taken");
        drop(probes);
        calls(&breaker, 3, true);
        assert!(!is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_of_an_earlier_state_changes_nothing() {
        let (breaker, _) = breaker();
        let before: Vec<Permit> = (0..50).filter_map(|_| breaker.acquire().ok()).collect();
        calls(&breaker, 20, false);
        advance(6 * SECOND).await;
        let probe = breaker.acquire().ok().unwrap();
        // They were let in before it opened, and fail only now.
        before.into_iter().for_each(|permit| permit.settle(false));
        probe.settle(true);
        calls(&breaker, 2, true);
        assert!(!is_open(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn each_pause_in_a_row_is_twice_as_long_up_to_the_most() {
        let (breaker, _) = breaker();
        calls(&breaker, 20, false);
        for seconds in [5, 10, 20, 40, 60, 60] {
            let pause = breaker.acquire().err().unwrap();
            let (least, most) = (seconds * SECOND, (seconds * SECOND).mul_f64(1.0 + JITTER));
            assert!(least <= pause && pause <= most, "{pause:?}, not {least:?}");
            advance(pause).await;
            calls(&breaker, 1, false);
        }
        advance(72 * SECOND).await;
        calls(&breaker, 3, true);
        calls(&breaker, 20, false);
        let pause = breaker.acquire().err().unwrap();
        assert!(pause <= 6 * SECOND, "it had closed: {pause:?}");
    }
}

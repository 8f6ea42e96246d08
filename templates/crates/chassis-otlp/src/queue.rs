//! What waits to be sent. Records come in without waiting; beyond the queue's capacity they are dropped and counted. A
//! batch goes out each second, sooner when much has come together, and is kept until the receiver takes it.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Request, header};
use bytes::Bytes;
use chassis::Error;
use chassis::metrics::{Counter, Family, Labels, register};
use chassis_http_client::{HttpClient, Maker};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::settings::Target;

/// A batch collects for so long.
const INTERVAL: Duration = Duration::from_secs(1);
/// After a failure. It doubles with each one more, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An answer says little.
const ANSWER_LIMIT: usize = 64 * 1024;

static DROPPED: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register(
        "otlp_records_dropped",
        "Spans and log lines that were not exported",
        Family::default(),
    )
});

/// Records that are sent in one request.
pub trait Batch: Default {
    type Record<'a>;
    /// A batch of this size is sent at once.
    const ENOUGH: usize;
    /// Nothing is added to a batch of this size.
    const CAPACITY: usize;

    /// In whatever it is measured.
    fn size(&self) -> usize;

    /// How many records it holds.
    fn records(&self) -> usize;

    fn push(&mut self, record: Self::Record<'_>);

    /// The request's body.
    fn encode(&self, resource: &[(String, String)]) -> serde_json::Result<Vec<u8>>;
}

pub struct Queue<B> {
    state: Mutex<State<B>>,
    /// There is enough for a batch, or somebody waits for all to be sent.
    wanted: Notify,
    sent: Condvar,
    dropped: Counter,
    target: Target,
    client: HttpClient,
}

#[derive(Default)]
struct State<B> {
    waiting: B,
    /// The exporter knows that there is enough.
    is_told: bool,
    is_sending: bool,
    in_a_hurry: bool,
}

/// Why a batch was not taken.
struct Failure {
    why: Error,
    /// It may be taken later.
    passes: bool,
}

impl<B: Batch> Queue<B> {
    pub fn new(target: Target, client: Maker) -> Result<Self, Error> {
        let labels = vec![("signal", target.signal.to_owned())];
        Ok(Self {
            state: Mutex::default(),
            wanted: Notify::new(),
            sent: Condvar::new(),
            dropped: DROPPED.get_or_create_owned(&labels),
            client: client(&target.url, target.ca_file.as_deref())?,
            target,
        })
    }

    pub fn push(&self, record: B::Record<'_>) {
        let mut state = self.lock();
        if state.waiting.size() >= B::CAPACITY {
            self.dropped.inc();
            return;
        }
        state.waiting.push(record);
        if state.waiting.size() >= B::ENOUGH && !std::mem::replace(&mut state.is_told, true) {
            self.wanted.notify_one();
        }
    }

    /// Sends all at once. Nothing is tried twice any more.
    pub fn hurry(&self) {
        self.lock().in_a_hurry = true;
        self.wanted.notify_one();
    }

    /// Waits until all is sent or given up, until then at most.
    pub fn wait(&self, until: Instant) {
        let mut state = self.lock();
        while state.is_sending || state.waiting.records() > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.sent.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends batches, for ever.
    pub async fn export(&self, resource: &[(String, String)]) {
        let mut is_failing = false;
        loop {
            _ = timeout(INTERVAL, self.wanted.notified()).await;
            let batch = self.take();
            if batch.records() > 0 {
                self.send(&batch, resource, &mut is_failing).await;
            }
            self.lock().is_sending = false;
            self.sent.notify_all();
        }
    }

    /// Sends a batch, again and again while that may help. One log line tells that it begins to fail.
    async fn send(&self, batch: &B, resource: &[(String, String)], is_failing: &mut bool) {
        let signal = self.target.signal;
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(failure) = self.post(batch, resource).await else {
                if std::mem::take(is_failing) {
                    tracing::info!(signal, "telemetry is exported again");
                }
                return;
            };
            if !std::mem::replace(is_failing, true) {
                let (to, error) = (&self.target.url, &*failure.why as &dyn std::error::Error);
                tracing::warn!(signal, %to, error, "telemetry is not exported");
            }
            if !failure.passes || self.lock().in_a_hurry {
                self.dropped.inc_by(batch.records() as u64);
                return;
            }
            _ = timeout(pause, self.wanted.notified()).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    async fn post(&self, batch: &B, resource: &[(String, String)]) -> Result<(), Failure> {
        let lost = |why: Error| Failure { why, passes: false };
        let passing = |why: Error| Failure { why, passes: true };
        let body = batch.encode(resource).map_err(|error| lost(error.into()))?;
        let request = Request::post(&self.target.url).body(Bytes::from(body));
        let mut request = request.map_err(|error| lost(error.into()))?;
        let headers = request.headers_mut();
        headers.extend(self.target.headers.clone());
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let answer = timeout(self.target.timeout, self.client.send(request, ANSWER_LIMIT)).await;
        let answer = answer.map_err(|_| passing("no answer in time".into()))?;
        match answer.map_err(passing)?.status() {
            status if status.is_success() => Ok(()),
            // As the protocol has it.
            status => Err(Failure {
                why: format!("answered {status}").into(),
                passes: matches!(status.as_u16(), 429 | 502 | 503 | 504),
            }),
        }
    }

    fn take(&self) -> B {
        let mut state = self.lock();
        state.is_told = false;
        state.is_sending = true;
        std::mem::take(&mut state.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use axum::Router;
    use axum::extract::{DefaultBodyLimit, State};
    use axum::http::{HeaderMap, StatusCode};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tokio::time::Instant as Moment;

    use super::super::records::Lines;
    use super::*;

    const LINE: &[u8] = b"{\"level\":\"INFO\",\"message\":\"x\"}\n";

    /// Answers with these statuses, one after the other, then with 200; silent at a status of 0.
    struct Receiver {
        address: std::net::SocketAddr,
        /// How many records each request held.
        received: mpsc::UnboundedReceiver<usize>,
        _tasks: JoinSet<()>,
    }

    impl Receiver {
        async fn start(statuses: &[u16]) -> Self {
            type Shared = Arc<(mpsc::UnboundedSender<usize>, Mutex<Vec<u16>>)>;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (sender, received) = mpsc::unbounded_channel();
            let statuses = statuses.iter().rev().copied().collect();
            let answer = async |State(shared): State<Shared>, body: String| {
                _ = shared.0.send(body.matches("severityNumber").count());
                let status = shared.1.lock().unwrap().pop().unwrap_or(200);
                if status == 0 {
                    std::future::pending::<()>().await;
                }
                StatusCode::from_u16(status).unwrap()
            };
            let app = Router::new()
                .fallback(answer)
                .layer(DefaultBodyLimit::disable());
            let app = app.with_state(Arc::new((sender, Mutex::new(statuses))));
            let mut tasks = JoinSet::new();
            tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
            Self {
                address,
                received,
                _tasks: tasks,
            }
        }

        /// How many records the next request holds. `None`: there is none for a minute.
        async fn next(&mut self) -> Option<usize> {
            let request = timeout(Duration::from_secs(60), self.received.recv());
            request.await.ok().flatten()
        }

        fn queue(&self, signal: &'static str) -> Arc<Queue<Lines>> {
            let target = Target {
                signal,
                url: format!("http://{}/v1/logs", self.address).parse().unwrap(),
                headers: HeaderMap::new(),
                timeout: Duration::from_secs(10),
                ca_file: None,
            };
            Arc::new(Queue::new(target, HttpClient::plain).unwrap())
        }
    }

    fn export(queue: &Arc<Queue<Lines>>) -> JoinSet<()> {
        let mut task = JoinSet::new();
        let queue = queue.clone();
        task.spawn(async move { queue.export(&[]).await });
        task
    }

    fn push(queue: &Queue<Lines>, lines: usize) {
        for _ in 0..lines {
            queue.push((SystemTime::now(), LINE));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_a_receiver_that_is_away_and_is_sent_once_it_is_back() {
        for status in [429, 502, 503, 504] {
            let mut receiver = Receiver::start(&[status, status]).await;
            let queue = receiver.queue("away");
            let _task = export(&queue);
            let before = queue.dropped.get();
            push(&queue, 3);
            let began = Moment::now();
            for pause in [1, 2, 4] {
                assert_eq!(receiver.next().await, Some(3));
                assert_eq!(began.elapsed().as_secs(), pause);
            }
            push(&queue, 2);
            assert_eq!(
                receiver.received.recv().await,
                Some(2),
                "and no more of the first"
            );
            assert_eq!(queue.dropped.get(), before);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_receiver_refuses_is_dropped_and_counted() {
        let mut receiver = Receiver::start(&[400]).await;
        let queue = receiver.queue("refused");
        let _task = export(&queue);
        push(&queue, 3);
        assert_eq!(receiver.next().await, Some(3));
        push(&queue, 2);
        assert_eq!(receiver.next().await, Some(2));
        assert_eq!(queue.dropped.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn much_is_sent_at_once_and_more_than_fits_is_dropped_and_counted() {
        let mut receiver = Receiver::start(&[]).await;
        let queue = receiver.queue("full");
        let fitting = Lines::CAPACITY.div_ceil(LINE.len());
        push(&queue, fitting + 7);
        assert_eq!(queue.dropped.get(), 7);
        let began = Moment::now();
        let _task = export(&queue);
        assert_eq!(receiver.next().await, Some(fitting));
        assert!(began.elapsed() < INTERVAL, "{:?}", began.elapsed());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flush_waits_for_what_is_sent_but_not_for_a_silent_receiver() {
        let mut receiver = Receiver::start(&[200, 0]).await;
        let queue = receiver.queue("flushed");
        let _task = export(&queue);
        let flush = |patience| {
            let (queue, began) = (queue.clone(), Instant::now());
            let flushed = move || {
                queue.hurry();
                queue.wait(began + Duration::from_millis(patience));
                began.elapsed()
            };
            tokio::task::spawn_blocking(flushed)
        };
        push(&queue, 3);
        let took = flush(10_000).await.unwrap();
        assert!(
            took < Duration::from_secs(1),
            "{took:?}: before the next batch is due"
        );
        assert_eq!(receiver.received.try_recv(), Ok(3));
        push(&queue, 1);
        let took = flush(50).await.unwrap();
        assert!((50..1000).contains(&took.as_millis()), "{took:?}");
    }
}

//% set callee = rest_callees | first
//! See a called service fail: what callers of this one get then. The stack is the real one, its far end stands in for
//! `example-callee`, and time is paused, so that minutes pass at once. Each test goes red when its layer goes.

#[expect(dead_code, reason = "the whole service is not started here")]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
//% if protocol == "rest"
use axum::routing::get;
use axum::{BoxError, Router};
use chassis::problem::Problem;
use chassis_inbound::protect;
use chassis_outbound::retry::IDEMPOTENCY_KEY;
use chassis_outbound::{Answer, CallError, Dependency, Outbound};
use common::{assert_problem, config, request, send};
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};
use tower::service_fn;
//% else
use axum::routing::post;
use axum::{BoxError, Router};
use chassis_grpc_server::{protect, status};
use chassis_outbound::retry::IDEMPOTENCY_KEY;
use chassis_outbound::{CallError, Dependency, Outbound};
use common::{config, request, send};
use tokio::time::{Instant, advance, sleep};
use tonic::{Code, Status};
use tower::service_fn;
//% endif

const SECOND: Duration = Duration::from_secs(1);
//% if protocol == "rest"
const PATH: &str = "/v1/passed-on";
//% else
const PATH: &str = "/test.PassedOn/Call";
//% endif
const ITEMS: &str = r#"{"items":[{"id":1,"name":"tea","quantity":2}]}"#;

/// What the called service does next.
type Behaviour = Arc<dyn Fn(&Request<Bytes>) -> Reply + Send + Sync>;

enum Reply {
    Status(u16),
    RetryAfter(u64),
    Nothing,
}

/// The called service: it behaves as it is told and counts the attempts that reach it.
#[derive(Clone)]
struct Upstream {
    behaviour: Arc<std::sync::Mutex<Behaviour>>,
    reached: Arc<AtomicUsize>,
}

impl Upstream {
    fn new(behaviour: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static) -> Self {
        let behaviour: Behaviour = Arc::new(behaviour);
        Self {
            behaviour: Arc::new(behaviour.into()),
            reached: Arc::default(),
        }
    }

    fn now(&self, behaviour: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    fn reached(&self) -> usize {
        self.reached.swap(0, SeqCst)
    }

    async fn answer(self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        self.reached.fetch_add(1, SeqCst);
        let behaviour = self.behaviour.lock().unwrap().clone();
        let response = Response::builder();
        let response = match behaviour(&request) {
            Reply::Status(status) => response.status(status),
            Reply::RetryAfter(seconds) => response.status(503).header("retry-after", seconds),
            Reply::Nothing => std::future::pending().await,
        };
        Ok(response.body(Bytes::from_static(ITEMS.as_bytes()))?)
    }

    fn dependency(&self, limits: &Outbound) -> Dependency {
        let upstream = self.clone();
        let transport = service_fn(move |request| upstream.clone().answer(request));
        Dependency::over("example-callee", limits, transport)
    }

    //% if protocol == "rest"
    /// A service with one route, which passes on what the called one has.
    fn app(&self, limits: &Outbound) -> Router {
        let dependency = self.dependency(limits);
        let route = get(async move || -> Result<_, Problem> {
            let Answer { value, stale } = dependency.get::<Value>("/v1/items").await?;
            let stale = stale.map(|age| age.as_secs());
            Ok(axum::Json(json!({ "value": value, "stale": stale })))
        });
        protect(Router::new().route(PATH, route), &config().server)
    }
    //% else
    /// A service with one method, which passes on how the call to the other one ended.
    fn app(&self, limits: &Outbound) -> Router {
        let dependency = self.dependency(limits);
        let method = post(async move || {
            let status = match dependency.send(read()).await {
                Ok(_) => Status::ok(""),
                Err(error) => status(error),
            };
            status.into_http::<axum::body::Body>()
        });
        protect(Router::new().route(PATH, method), &config().server)
    }
    //% endif
}

fn limits() -> Outbound {
    config().calls.example_callee
}

/// A breaker that stays closed, where a test is about something else.
fn without_breaker() -> Outbound {
    Outbound {
        breaker_min_calls: u32::MAX,
        ..limits()
    }
}

async fn ask(app: &Router) -> common::Answer {
    //% if protocol == "grpc"
    let request = request(PATH);
    //% else
    let request = request("GET", PATH).body("".into()).unwrap();
    //% endif
    send(app, request).await
}

fn read() -> Request<Bytes> {
    Request::get("/v1/items").body(Bytes::new()).unwrap()
}

fn create() -> Request<Bytes> {
    Request::post("/v1/items").body(Bytes::new()).unwrap()
}

//% if protocol == "rest"
#[tokio::test(start_paused = true)]
async fn a_dead_dependency_degrades_to_a_copy_that_says_how_old_it_is() {
    let upstream = Upstream::new(|_| Reply::Status(200));
    let app = upstream.app(&limits());
    let fresh = ask(&app).await;
    assert_eq!(fresh.status, 200);
    assert_eq!(fresh.body["value"]["items"][0]["name"], "tea");
    assert_eq!(fresh.body["stale"], Value::Null);

    upstream.now(|_| Reply::Status(500));
    advance(60 * SECOND).await;
    let stale = ask(&app).await;
    assert_eq!(stale.status, 200);
    assert_eq!(stale.body["value"], fresh.body["value"]);
    assert_eq!(stale.body["stale"], 60);

    advance(limits().stale).await;
    assert_problem(&ask(&app).await, 502);
    upstream.now(|_| Reply::Status(200));
    assert_eq!(ask(&app).await.body["stale"], Value::Null);
}
//% else
#[tokio::test(start_paused = true)]
async fn a_dead_dependency_degrades_to_a_copy_for_a_while() {
    let upstream = Upstream::new(|_| Reply::Status(200));
    let app = upstream.app(&limits());
    assert_eq!(ask(&app).await.code, Code::Ok);
    upstream.now(|_| Reply::Status(500));
    advance(60 * SECOND).await;
    assert_eq!(ask(&app).await.code, Code::Ok);
    advance(limits().stale).await;
    assert_eq!(ask(&app).await.code, Code::Unavailable);
}
//% endif

#[tokio::test(start_paused = true)]
async fn what_the_called_service_denies_is_not_given_out_as_a_copy() {
    let upstream = Upstream::new(|_| Reply::Status(200));
    let dependency = upstream.dependency(&limits());
    assert!(dependency.send(read()).await.is_ok());
    upstream.now(|_| Reply::Status(404));
    let denied = dependency.send(read()).await;
    assert!(matches!(
        denied,
        Err(CallError::Refused(StatusCode::NOT_FOUND))
    ));
    upstream.now(|_| Reply::Status(500));
    assert!(dependency.send(read()).await.is_err(), "the copy is gone");
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_and_lets_three_probes_find_out_that_it_is_over() {
    let upstream = Upstream::new(|_| Reply::Status(500));
    let app = upstream.app(&limits());
    for _ in 0..100 {
        //% if protocol == "grpc"
        assert_eq!(ask(&app).await.code, Code::Unavailable);
        //% else
        let answer = ask(&app).await;
        assert!(answer.status.is_server_error());
        //% endif
    }
    assert_eq!(upstream.reached(), 20, "then it was left alone");
    let refused = ask(&app).await;
    //% if protocol == "grpc"
    assert!(refused.metadata.contains_key("grpc-retry-pushback-ms"));
    //% else
    assert_problem(&refused, 503);
    assert!(refused.headers.contains_key("retry-after"));
    //% endif

    // Still broken: one probe is enough to see that.
    advance(6 * SECOND).await;
    for _ in 0..100 {
        ask(&app).await;
    }
    assert_eq!(upstream.reached(), 1);

    upstream.now(|_| Reply::Status(200));
    advance(12 * SECOND).await;
    for _ in 0..100 {
        //% if protocol == "grpc"
        assert_eq!(ask(&app).await.code, Code::Ok);
        //% else
        assert_eq!(ask(&app).await.status, 200);
        //% endif
    }
    assert_eq!(upstream.reached(), 100, "it is closed again");
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_repeated_is_tried_again() {
    let upstream = Upstream::new(|_| Reply::Status(503));
    let dependency = upstream.dependency(&without_breaker());
    let mut keyed = create();
    keyed
        .headers_mut()
        .insert(IDEMPOTENCY_KEY, "7f3a".parse().unwrap());
    for (request, status, attempts) in [
        (read(), 503, 3),
        (create(), 503, 1),
        (keyed, 503, 3),
        (read(), 500, 1),
        (read(), 404, 1),
    ] {
        upstream.now(move |_| Reply::Status(status));
        let what = format!("{} {status}", request.method());
        assert!(dependency.send(request).await.is_err());
        assert_eq!(upstream.reached(), attempts, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_of_an_outage_stay_inside_their_budget() {
    let upstream = Upstream::new(|_| Reply::Status(503));
    let dependency = upstream.dependency(&without_breaker());
    let started = Instant::now();
    for _ in 0..300 {
        assert!(dependency.send(read()).await.is_err());
    }
    let passed = usize::try_from(started.elapsed().as_secs()).unwrap();
    // A fifth of the requests, and one a second, of which ten can be saved up.
    let most = 300 + 300 / 5 + 10 + passed;
    let reached = upstream.reached();
    assert!(
        (310..=most).contains(&reached),
        "{reached} attempts, {most} at most"
    );
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_the_called_service_asks_for_is_kept_or_the_call_ends() {
    let upstream = Upstream::new(|_| Reply::RetryAfter(1));
    let dependency = upstream.dependency(&limits());
    for (seconds, attempts) in [(1, 3), (2, 2), (10, 1)] {
        upstream.now(move |_| Reply::RetryAfter(seconds));
        let started = Instant::now();
        assert!(dependency.send(read()).await.is_err());
        assert_eq!(upstream.reached(), attempts, "retry after {seconds} s");
        let waited = seconds * (attempts as u64 - 1);
        assert_eq!(started.elapsed().as_secs(), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn a_called_service_that_hangs_costs_no_more_than_its_timeouts() {
    let upstream = Upstream::new(|_| Reply::Nothing);
    let dependency = upstream.dependency(&without_breaker());
    let started = Instant::now();
    let result = dependency.send(read()).await;
    assert!(matches!(result, Err(CallError::TimedOut)));
    assert_eq!(upstream.reached(), 3, "each attempt ended by itself");
    let elapsed = started.elapsed();
    assert!(
        elapsed >= 3 * SECOND && elapsed < limits().total_timeout,
        "{elapsed:?}"
    );

    let patient = Outbound {
        attempt_timeout: 60 * SECOND,
        ..limits()
    };
    let started = Instant::now();
    let result = upstream.dependency(&patient).send(read()).await;
    assert!(matches!(result, Err(CallError::TimedOut)));
    assert_eq!(
        started.elapsed().as_secs(),
        limits().total_timeout.as_secs()
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_against_the_called_service() {
    let upstream = Upstream::new(|_| Reply::Nothing);
    let once = Outbound {
        retries: 0,
        ..limits()
    };
    let dependency = upstream.dependency(&once);
    // Half a minute, so older ones are forgotten: ten at a time are twenty within the window.
    for _ in 0..2 {
        let calls = (0..10).map(|_| {
            let dependency = dependency.clone();
            tokio::spawn(async move { dependency.send(read()).await.is_err() })
        });
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap());
        }
    }
    assert_eq!(upstream.reached(), 20);
    let refused = dependency.send(read()).await;
    assert!(matches!(refused, Err(CallError::CircuitOpen { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_slow_called_service_takes_only_its_share_of_callers() {
    let upstream = Upstream::new(|_| Reply::Nothing);
    let dependency = upstream.dependency(&without_breaker());
    let share = limits().max_in_flight;
    for _ in 0..share {
        let dependency = dependency.clone();
        tokio::spawn(async move { dependency.send(read()).await });
    }
    sleep(SECOND / 10).await;
    assert_eq!(upstream.reached(), share);
    let started = Instant::now();
    let refused = dependency.send(read()).await;
    assert!(matches!(refused, Err(CallError::Overloaded)));
    assert_eq!(started.elapsed(), Duration::ZERO, "nobody queues");

    sleep(5 * SECOND).await;
    upstream.now(|_| Reply::Status(200));
    assert!(
        dependency.send(read()).await.is_ok(),
        "the places are free again"
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_place_in_the_callers_trace() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let upstream = Upstream::new({
        let seen = seen.clone();
        move |request| {
            let parent = request.headers()["traceparent"].to_str().unwrap();
            seen.lock().unwrap().push(parent.to_owned());
            Reply::Status(503)
        }
    });
    let app = upstream.app(&limits());
    let caller = format!("00-{TRACE}-00f067aa0ba902b7-01");
    //% if protocol == "grpc"
    let mut request = request(PATH);
    let parent = caller.parse().unwrap();
    request.headers_mut().insert("traceparent", parent);
    send(&app, request).await;
    //% else
    let request = request("GET", PATH).header("traceparent", caller);
    send(&app, request.body("".into()).unwrap()).await;
    //% endif
    let mut seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|parent| parent.contains(TRACE)), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "three attempts, three spans");
}

/// Else the port for TLS would be sent plain requests, tokens and all.
#[tokio::test]
async fn calls_in_plain_http_refuse_an_https_url() {
    let mut discovery = config().discovery;
    let url = "https://stock".to_owned();
    discovery.addresses.insert("stock".to_owned(), url);
    let refused = Dependency::new("stock", &limits(), &discovery).err();
    let refused = refused.expect("no plain call to it").to_string();
    assert!(refused.contains("an https:// URL for `stock`"), "{refused}");
}

//% set callee = grpc_callees | first
//! See a called service fail that speaks gRPC: what this one gets then. The stack is the real one, its far end stands in
//! for `example-callee`, and time is paused, so that minutes pass at once. Each test goes red when its layer goes.

#[expect(dead_code, reason = "the whole service is not started here")]
mod common;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Request, Response};
use axum::routing::post;
use chassis_grpc_client::{Channel, Refusal, answer, deadline, in_process, read_only};
//% if protocol == "grpc"
use chassis_grpc_server::protect;
//% else
use chassis_inbound::protect;
//% endif
use chassis_outbound::{Answer, CallError, Outbound};
use common::config;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, advance, sleep};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// What the called service does next; `None` is silence.
type Behaviour = Arc<dyn Fn(&HeaderMap) -> Option<Status> + Send + Sync>;

/// The called service: it behaves as it is told and counts the attempts that reach it.
#[derive(Clone)]
struct Upstream {
    behaviour: Arc<Mutex<Behaviour>>,
    reached: Arc<AtomicUsize>,
}

impl Upstream {
    fn new(behaviour: impl Fn(&HeaderMap) -> Option<Status> + Send + Sync + 'static) -> Self {
        let behaviour: Behaviour = Arc::new(behaviour);
        Self {
            behaviour: Arc::new(behaviour.into()),
            reached: Arc::default(),
        }
    }

    fn ending(code: Code) -> Self {
        Self::new(move |_| Some(Status::new(code, "as it was told")))
    }

    fn now(&self, code: Code) {
        let behaviour = move |_: &HeaderMap| Some(Status::new(code, "as it was told"));
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    fn reached(&self) -> usize {
        self.reached.swap(0, SeqCst)
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        self.reached.fetch_add(1, SeqCst);
        let behaviour = self.behaviour.lock().unwrap().clone();
        let Some(status) = behaviour(request.headers()) else {
            return std::future::pending().await;
        };
        if status.code() != Code::Ok {
            return Ok(status.into_http());
        }
        // Not compressed, five bytes: the text "tea".
        let message = Full::from(&b"\0\0\0\0\x05\x0a\x03tea"[..]);
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let body = message.with_trailers(async { Some(Ok(trailers)) });
        let response = Response::builder().header("content-type", "application/grpc");
        Ok(response.body(Body::new(body)).unwrap())
    }

    fn channel(&self, limits: &Outbound) -> Channel {
        let upstream = self.clone();
        let service = service_fn(move |request| upstream.clone().answer(request));
        let callee = in_process(service);
        Channel::over("example-callee", limits, callee)
    }
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

/// A call by tonic's client.
async fn ask(
    channel: &Channel,
    request: tonic::Request<String>,
) -> Result<Answer<String>, CallError> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Called/Ask");
    let codec = tonic_prost::ProstCodec::default();
    answer(client.unary(request, path, codec).await)
}

fn read() -> tonic::Request<String> {
    read_only(String::new())
}

fn write() -> tonic::Request<String> {
    tonic::Request::new(String::new())
}

fn keyed() -> tonic::Request<String> {
    let mut request = write();
    let key = "7f3a".parse().unwrap();
    request.metadata_mut().insert("idempotency-key", key);
    request
}

#[tokio::test(start_paused = true)]
async fn a_dead_dependency_degrades_to_a_copy_that_says_how_old_it_is() {
    let upstream = Upstream::ending(Code::Ok);
    let channel = upstream.channel(&limits());
    let fresh = ask(&channel, read()).await.unwrap();
    assert_eq!((&*fresh.value, fresh.stale), ("tea", None));
    assert!(ask(&channel, write()).await.is_ok());

    upstream.now(Code::Internal);
    advance(60 * SECOND).await;
    let stale = ask(&channel, read()).await.unwrap();
    assert_eq!((&*stale.value, stale.stale), ("tea", Some(60 * SECOND)));
    // What changes something has no copy.
    let failed = ask(&channel, write()).await.unwrap_err();
    assert_eq!(failed.to_string(), "answered INTERNAL: as it was told");
    // Another question has another answer.
    let other = ask(&channel, read_only("other".to_owned())).await;
    assert!(other.is_err());

    advance(limits().stale).await;
    assert!(ask(&channel, read()).await.is_err());
    upstream.now(Code::Ok);
    assert_eq!(ask(&channel, read()).await.unwrap().stale, None);
    // The callee knows best: what it denies is not given out any more.
    for code in [Code::NotFound, Code::Internal] {
        upstream.now(code);
        assert!(ask(&channel, read()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_repeated_is_tried_again_and_only_after_some_codes() {
    let upstream = Upstream::ending(Code::Ok);
    let channel = upstream.channel(&without_breaker());
    for (request, code, attempts) in [
        (read(), Code::Unavailable, 3),
        (keyed(), Code::Unavailable, 3),
        (write(), Code::Unavailable, 1),
        (read(), Code::DeadlineExceeded, 3),
        (read(), Code::ResourceExhausted, 1),
        (read(), Code::Internal, 1),
        (read(), Code::Unknown, 1),
        (read(), Code::NotFound, 1),
        (read(), Code::Unauthenticated, 1),
        (read(), Code::Aborted, 1),
    ] {
        upstream.now(code);
        let failed = ask(&channel, request).await.unwrap_err();
        let CallError::Said { words, .. } = &failed else {
            panic!("{failed}");
        };
        assert_eq!(words.0.downcast_ref::<Refusal>().unwrap().0.code(), code);
        assert_eq!(upstream.reached(), attempts, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_the_called_service_asks_for_is_kept() {
    let upstream = Upstream::new(|_| {
        let mut status = Status::resource_exhausted("");
        let pause = "1000".parse().unwrap();
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", pause);
        Some(status)
    });
    let channel = upstream.channel(&limits());
    let started = Instant::now();
    assert!(ask(&channel, read()).await.is_err());
    assert_eq!(upstream.reached(), 3);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_for_failures_and_not_for_refusals() {
    let upstream = Upstream::ending(Code::PermissionDenied);
    let channel = upstream.channel(&limits());
    for _ in 0..100 {
        assert!(ask(&channel, write()).await.is_err());
    }
    assert_eq!(upstream.reached(), 100, "it is well, and says no");
    advance(60 * SECOND).await;
    upstream.now(Code::Unavailable);
    for _ in 0..100 {
        assert!(ask(&channel, write()).await.is_err());
    }
    assert_eq!(upstream.reached(), 20, "then it was left alone");
    let refused = ask(&channel, write()).await;
    assert!(matches!(refused, Err(CallError::CircuitOpen { .. })));

    upstream.now(Code::Ok);
    advance(12 * SECOND).await;
    for _ in 0..100 {
        assert!(ask(&channel, write()).await.is_ok());
    }
    assert_eq!(upstream.reached(), 100, "it is closed again");
}

#[tokio::test(start_paused = true)]
async fn a_called_service_that_hangs_costs_no_more_than_its_timeouts() {
    let upstream = Upstream::new(|_| None);
    let channel = upstream.channel(&without_breaker());
    let started = Instant::now();
    let result = ask(&channel, read()).await;
    assert!(matches!(result, Err(CallError::TimedOut)));
    assert_eq!(upstream.reached(), 3, "each attempt ended by itself");
    assert!(started.elapsed() < limits().total_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_slow_called_service_takes_only_its_share_of_callers() {
    let upstream = Upstream::new(|_| None);
    let channel = upstream.channel(&without_breaker());
    let share = limits().max_in_flight;
    for _ in 0..share {
        let channel = channel.clone();
        tokio::spawn(async move { ask(&channel, read()).await.is_ok() });
    }
    sleep(SECOND / 10).await;
    assert_eq!(upstream.reached(), share);
    let refused = ask(&channel, read()).await;
    assert!(matches!(refused, Err(CallError::Overloaded)));
}

#[tokio::test]
async fn each_attempt_has_its_own_span_and_no_more_time_than_its_caller_waits() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let upstream = Upstream::new({
        let seen = seen.clone();
        move |headers| {
            let parent = headers["traceparent"].to_str().unwrap().to_owned();
            let time = deadline::given(headers).unwrap();
            seen.lock().unwrap().push((parent, time));
            Some(Status::unavailable(""))
        }
    });
    let channel = upstream.channel(&limits());
    let method = post(async move || {
        _ = ask(&channel, read()).await;
        Status::ok("").into_http::<axum::body::Body>()
    });
    let app = Router::new().route("/test.PassedOn/Call", method);
    let app = protect(app, &config().server);
    //% if protocol == "grpc"
    let given = [None, Some("900m")];
    //% else
    let given = [None];
    //% endif
    for given in given {
        let caller = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let call = Request::post("/test.PassedOn/Call").header("traceparent", caller);
        let mut call = call.body(axum::body::Body::empty()).unwrap();
        let headers = call.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.extend(given.map(|given: &str| {
            let given = given.parse().unwrap();
            (deadline::GRPC_TIMEOUT, given)
        }));
        app.clone().oneshot(call).await.unwrap();
        let most = match given {
            None => limits().attempt_timeout,
            Some(_) => Duration::from_millis(900),
        };
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.len(), 3);
        for (parent, time) in &seen {
            assert!(parent.contains(TRACE), "{parent}");
            assert!(*time <= most && *time > most / 2, "{time:?}");
        }
        seen.sort();
        seen.dedup_by_key(|(parent, _)| parent.clone());
        assert_eq!(seen.len(), 3, "three attempts, three spans");
    }
}

//! See it fail: what the service does under faults, overload and shutdown. Each test goes red when its layer goes.
//!
//! A paused clock jumps to the next timer when there is nothing else to do. Pause it once the service is built: a
//! database that is opened is something else to do, in another thread, and its own timers would fire.

#[expect(dead_code, reason = "calls are made by hand")]
mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, post};
use chassis::health::Checks;
use chassis::metrics;
use chassis_grpc_server::{listen, protect, service_names};
use common::{app, config, request, send};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, advance, pause, sleep};
use tonic::{Code, Status};

use example_service::proto::OWN;

/// The last word of a call that went well.
async fn fine() -> impl IntoResponse {
    Status::ok("").into_http::<Body>()
}

/// A method that answers when it is told to, and says when it is reached.
fn held() -> (MethodRouter, Arc<Notify>, Arc<Notify>) {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, leave) = (entered.clone(), leave.clone());
        post(async move || {
            entered.notify_one();
            leave.notified().await;
            fine().await
        })
    };
    (handler, entered, leave)
}

#[tokio::test]
async fn a_call_ends_when_its_caller_stops_to_wait_or_sooner() {
    let config = config();
    let slow = post(|| sleep(Duration::from_secs(60)));
    let app = app(&config, Router::new().route("/test.Slow/Call", slow)).await;
    pause();
    let most = config.server.request_timeout;
    for (given, time) in [
        (None, most),
        (Some("250m"), Duration::from_millis(250)),
        (Some("1H"), most),
        (Some("soon"), most),
    ] {
        let mut call = request("/test.Slow/Call");
        if let Some(given) = given {
            let given = given.parse().unwrap();
            call.headers_mut().insert("grpc-timeout", given);
        }
        let asked = Instant::now();
        assert_eq!(send(&app, call).await.code, Code::DeadlineExceeded);
        let took = asked.elapsed();
        assert!(took >= time && took < time + Duration::from_millis(10));
    }
    assert_counted("test.Slow", "DEADLINE_EXCEEDED", 4);
}

#[tokio::test]
async fn a_client_beyond_its_rate_is_refused_until_it_has_waited() {
    let mut config = config();
    config.server.rate_limit.enabled = true;
    config.server.rate_limit.requests_per_second = 1;
    config.server.rate_limit.burst = 2;
    let limited = Router::new().route("/test.Limited/Call", post(fine));
    let app = app(&config, limited).await;
    pause();
    let ask = async |peer: [u8; 4]| {
        let mut call = request("/test.Limited/Call");
        let peer = ConnectInfo(SocketAddr::from((peer, 4711)));
        call.extensions_mut().insert(peer);
        send(&app, call).await
    };
    let caller = [203, 0, 113, 7];
    for _ in 0..2 {
        assert_eq!(ask(caller).await.code, Code::Ok);
    }
    let refused = ask(caller).await;
    assert_eq!(refused.code, Code::ResourceExhausted);
    assert_eq!(refused.metadata["grpc-retry-pushback-ms"], "1000");
    assert_counted("test.Limited", "RESOURCE_EXHAUSTED", 1);
    assert_eq!(ask([203, 0, 113, 8]).await.code, Code::Ok, "others");
    advance(Duration::from_secs(1)).await;
    assert_eq!(ask(caller).await.code, Code::Ok);
}

#[tokio::test]
async fn overload_is_shed_at_once_and_passes() {
    let mut config = config();
    config.server.max_in_flight = 1;
    let (handler, entered, leave) = held();
    let routes = Router::new().route("/test.Held/Call", handler);
    let app = app(&config, routes).await;
    let first = tokio::spawn({
        let app = app.clone();
        async move { send(&app, request("/test.Held/Call")).await.code }
    });
    entered.notified().await;
    let refused = send(&app, request("/test.Held/Call")).await;
    assert_eq!(refused.code, Code::Unavailable);
    assert_eq!(refused.metadata["grpc-retry-pushback-ms"], "1000");
    assert_counted("test.Held", "UNAVAILABLE", 1);
    leave.notify_one();
    assert_eq!(first.await.unwrap(), Code::Ok);
    leave.notify_one();
    let after = send(&app, request("/test.Held/Call")).await;
    assert_eq!(after.code, Code::Ok);
}

/// A message of the service's own that is `length` bytes long: a field that nobody knows.
fn long_call(length: usize) -> Request<Body> {
    //% if store == "none"
    let own = "example_service.v1.EchoService";
    let path = format!("/{own}/Echo");
    //% else
    let own = "example_service.v1.ItemsService";
    let path = format!("/{own}/ListItems");
    //% endif
    let text = "x".repeat(length);
    common::call_with(&path, &text)
}

#[tokio::test]
async fn a_message_over_the_limit_is_not_taken() {
    let mut config = config();
    config.server.body_limit_bytes = 1000;
    let app = app(&config, Router::new()).await;
    let code = async |length| send(&app, long_call(length)).await.code;
    assert_ne!(code(900).await, Code::ResourceExhausted);
    assert_eq!(code(1001).await, Code::ResourceExhausted);
    // One that is told to be longer than any memory is refused when it is told.
    let mut endless = long_call(0);
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let told = [0, 255, 255, 255, 255].to_vec();
    sender.send_data(told.into()).await.unwrap();
    *endless.body_mut() = Body::new(body);
    assert_eq!(send(&app, endless).await.code, Code::ResourceExhausted);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_nothing() {
    let broken = post(async || -> () { panic!("the password is hunter2") });
    let app = app(&config(), Router::new().route("/test.Broken/Call", broken)).await;
    let answer = send(&app, request("/test.Broken/Call")).await;
    assert_eq!(answer.code, Code::Internal);
    assert!(!format!("{answer:?}").contains("hunter2"));
}

#[tokio::test]
async fn every_answer_has_its_request_id_and_a_made_up_method_no_series() {
    let routes = Router::new().route("/test.Fine/Call", post(fine));
    let app = app(&config(), routes).await;
    for path in ["/test.Fine/Call", "/made.Up/Call", "/test.Fine/MadeUp"] {
        let mut call = request(path);
        let id = "order-7".parse().unwrap();
        call.headers_mut().insert("x-request-id", id);
        let answer = send(&app, call).await;
        assert_eq!(answer.code == Code::Ok, path == "/test.Fine/Call");
        assert_eq!(answer.metadata["x-request-id"], "order-7");
    }
    assert_counted("unmatched", "UNIMPLEMENTED", 2);
    assert!(!metrics::render().unwrap().1.contains("MadeUp"));
}

/// A caller over a real connection.
struct Remote(SendRequest<Full<Bytes>>);

impl Remote {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let connection = handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = connection.await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// What a call ends with; `None` when the connection does not take it.
    async fn call(&mut self, path: &str, message: &impl Message) -> Option<(Bytes, Code)> {
        let (mut parts, body) = common::call_with(path, message).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        parts.uri = format!("http://test{path}").parse().unwrap();
        self.0.ready().await.ok()?;
        let call = Request::from_parts(parts, Full::new(body));
        let (parts, body) = self.0.send_request(call).await.ok()?.into_parts();
        let body = body.collect().await.ok()?;
        let trailers = body.trailers().unwrap_or(&parts.headers);
        let code = Status::from_header_map(trailers).unwrap().code();
        Some((body.to_bytes(), code))
    }

    /// What `grpc.health.v1` says of a service: 1 is serving, 2 is not.
    async fn health(&mut self, service: &str) -> u8 {
        let path = "/grpc.health.v1.Health/Check";
        let (body, code) = self.call(path, &service.to_owned()).await.unwrap();
        assert_eq!(code, Code::Ok, "health knows `{service}`");
        *body.last().unwrap()
    }
}

#[tokio::test]
async fn shutdown_turns_health_off_finishes_what_is_in_flight_and_sends_the_rest_elsewhere() {
    let mut config = config();
    config.server.linger = Duration::from_millis(1500);
    let (handler, entered, leave) = held();
    let routes = Router::new()
        .route("/test.Held/Call", handler)
        .route("/test.Fine/Call", post(fine));
    let app = protect(routes, &config.server);
    let checks = Checks::new(&config.admin);
    let listening = listen(&config.server, &config.http2, &config.admin, OWN).unwrap();
    let traffic = listening.traffic_address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stopped = async { _ = stopped.await };
        let start = async { Ok((app, checks)) };
        let served = listening.serve_until(start, stopped).await;
        served.map_err(|error| error.to_string())
    });
    while TcpStream::connect(traffic).await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    let mut remote = Remote::connect(traffic).await;
    let all = [vec![String::new()], service_names(OWN).unwrap()].concat();
    for service in &all {
        while remote.health(service).await != 1 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let mut busy = Remote::connect(traffic).await;
    let in_flight = tokio::spawn(async move { busy.call("/test.Held/Call", &()).await });
    entered.notified().await;

    stop.send(()).unwrap();
    // The connections that stand are told to go; who opens another learns why.
    let mut late = Remote::connect(traffic).await;
    for service in &all {
        while late.health(service).await != 2 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let (_, code) = late.call("/test.Fine/Call", &()).await.unwrap();
    assert_eq!(code, Code::Ok, "who comes meanwhile is served");
    assert!(
        remote.call("/test.Fine/Call", &()).await.is_none(),
        "the connection takes no new call"
    );
    sleep(config.server.linger + Duration::from_millis(100)).await;
    assert!(!server.is_finished());
    leave.notify_one();
    let (_, code) = in_flight.await.unwrap().unwrap();
    assert_eq!(code, Code::Ok);
    server.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(traffic).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn health_follows_the_dependencies() {
    let config = config();
    let app = protect(Router::new(), &config.server);
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let checks = Checks::new(&config.admin).add("broker", {
        let well = well.clone();
        move || {
            let well = well.load(std::sync::atomic::Ordering::SeqCst);
            Box::pin(async move { well.then_some(()).ok_or("gone".into()) })
        }
    });
    let listening = listen(&config.server, &config.http2, &config.admin, OWN).unwrap();
    let traffic = listening.traffic_address().unwrap();
    let start = async move { Ok((app, checks)) };
    let server = listening.serve_until(start, std::future::pending());
    let server = tokio::spawn(async { server.await.map_err(|error| error.to_string()) });
    while TcpStream::connect(traffic).await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
    let mut remote = Remote::connect(traffic).await;
    assert_eq!(remote.health("").await, 2);
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    // A second later at most, where the machine has time for it.
    let asked = Instant::now();
    while remote.health("").await != 1 {
        assert!(asked.elapsed() < Duration::from_secs(20), "still not well");
        sleep(Duration::from_millis(20)).await;
    }
    server.abort();
}

/// Refusals are seen by whoever looks at the metrics.
fn assert_counted(service: &str, code: &str, times: usize) {
    let text = metrics::render().unwrap().1;
    let series = |line: &&str| {
        line.starts_with("grpc_server_handled_total{")
            && line.contains(&format!("grpc_service=\"{service}\""))
            && line.contains(&format!("grpc_code=\"{code}\""))
    };
    let line = text.lines().find(series);
    let line = line.unwrap_or_else(|| panic!("{service} {code}: {text}"));
    assert!(line.ends_with(&format!(" {times}")), "{line}");
}

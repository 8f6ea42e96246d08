//! See it fail: what the service does under faults, overload and shutdown. Each test goes red when its layer goes.
//!
//! A paused clock jumps to the next timer when there is nothing else to do. Pause it once the service is built: a
//! database that is opened is something else to do, in another thread, and its own timers would fire.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::routing::{get, post};
use chassis::health::{Checks, Health};
use chassis::{metrics, serve};
use chassis_inbound::protect;
use chassis_rest::extract::Json;
use common::{app, assert_problem, config, request, send};
use http_body_util::channel::Channel;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, advance, pause, sleep};

fn get_path(path: &str) -> Request {
    request("GET", path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_504() {
    let config = config();
    let slow = Router::new().route("/slow", get(|| sleep(Duration::from_secs(60))));
    let app = app(&config, slow).await;
    pause();
    let asked = Instant::now();
    assert_problem(&send(&app, get_path("/slow")).await, 504);
    assert_eq!(
        asked.elapsed().as_secs(),
        config.server.request_timeout.as_secs()
    );
    assert_counted("/slow", 504, 1);
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let mut config = config();
    config.server.request_timeout = Duration::from_secs(60);
    let sink = async |_: Json<Value>| ();
    let app = app(&config, Router::new().route("/sink", post(sink))).await;
    pause();
    let (_silent, endless) = Channel::<Bytes>::new(1);
    let endless = request("POST", "/sink").body(Body::new(endless));
    let asked = Instant::now();
    let answer = send(&app, endless.unwrap()).await;
    assert_problem(&answer, 408);
    assert_eq!(
        asked.elapsed().as_secs(),
        config.server.body_timeout.as_secs()
    );
}

#[tokio::test]
async fn a_client_beyond_its_rate_is_refused_until_it_has_waited() {
    let mut config = config();
    config.server.rate_limit.enabled = true;
    config.server.rate_limit.requests_per_second = 1;
    config.server.rate_limit.burst = 2;
    config.server.trusted_proxies = "10.0.0.0/8".parse().unwrap();
    let fine = Router::new().route("/limited", get(async || "fine"));
    let app = app(&config, fine).await;
    pause();
    let ask = async |peer: [u8; 4], reported: &str| {
        let mut request = get_path("/limited");
        let peer = ConnectInfo(SocketAddr::from((peer, 4711)));
        request.extensions_mut().insert(peer);
        let reported = reported.parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", reported);
        send(&app, request).await
    };
    let caller = [203, 0, 113, 7];
    for _ in 0..2 {
        assert_eq!(ask(caller, "").await.status, 200);
    }
    // Another name does not make it another caller, and others do not pay for it.
    let refused = ask(caller, "198.51.100.1").await;
    assert_problem(&refused, 429);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_counted("/limited", 429, 1);
    assert_eq!(ask([203, 0, 113, 8], "").await.status, 200);
    assert_eq!(ask([10, 0, 0, 1], "198.51.100.1").await.status, 200);
    assert_eq!(ask([10, 0, 0, 1], "203.0.113.7").await.status, 429);
    advance(Duration::from_secs(1)).await;
    assert_eq!(ask(caller, "").await.status, 200);
}

#[tokio::test]
async fn overload_is_shed_at_once_and_passes() {
    let mut config = config();
    config.server.max_in_flight = 1;
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (entered, leave) = (entered.clone(), leave.clone());
        get(async move || {
            entered.notify_one();
            leave.notified().await;
        })
    };
    let app = app(&config, Router::new().route("/held", held)).await;
    let first = tokio::spawn({
        let app = app.clone();
        async move { send(&app, get_path("/held")).await.status }
    });
    entered.notified().await;
    let refused = send(&app, get_path("/held")).await;
    assert_problem(&refused, 503);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_counted("/held", 503, 1);
    leave.notify_one();
    assert_eq!(first.await.unwrap(), 200);
    leave.notify_one();
    assert_eq!(send(&app, get_path("/held")).await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let mut config = config();
    config.server.body_limit_bytes = 10;
    let sink = Router::new().route("/sink", post(async |body: String| body));
    let app = app(&config, sink).await;
    for (bytes, status) in [(10, 200), (11, 413)] {
        let body = Body::from("x".repeat(bytes));
        let told = request("POST", "/sink")
            .header("content-length", bytes)
            .body(body)
            .unwrap();
        assert_eq!(
            send(&app, told).await.status,
            status,
            "{bytes} bytes, told before"
        );
        let (mut sender, body) = Channel::<Bytes>::new(1);
        sender.send_data("x".repeat(bytes).into()).await.unwrap();
        drop(sender);
        let untold = request("POST", "/sink").body(Body::new(body));
        let untold = send(&app, untold.unwrap()).await;
        assert_eq!(untold.status, status, "{bytes} bytes, not told before");
    }
    // One that is told to be too long is refused before a byte of it is there.
    let (_silent, body) = Channel::<Bytes>::new(1);
    let told = request("POST", "/sink").header("content-length", 11);
    let told = told.body(Body::new(body)).unwrap();
    assert_eq!(send(&app, told).await.status, 413);
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let broken = Router::new().route(
        "/broken",
        get(async || -> () { panic!("the password is hunter2") }),
    );
    let app = app(&config(), broken).await;
    let answer = send(&app, get_path("/broken")).await;
    assert_problem(&answer, 500);
    assert!(!answer.body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn every_answer_has_its_request_id_and_the_security_headers() {
    let fine = Router::new().route("/fine", get(async || "fine"));
    let app = app(&config(), fine).await;
    for path in ["/fine", "/missing"] {
        let answer = send(&app, get_path(path)).await;
        assert!(!answer.headers["x-request-id"].is_empty());
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
    }
    for (given, kept) in [
        ("order-7", true),
        ("two words", false),
        (&"x".repeat(129), false),
    ] {
        let named = request("GET", "/missing").header("x-request-id", given);
        let answer = send(&app, named.body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 404);
        assert_eq!(answer.headers["x-request-id"] == *given, kept, "{given}");
    }
}
//% if auth == "jwt"

#[tokio::test]
async fn without_a_token_for_this_service_nobody_gets_in() {
    let app = app(&config(), Router::new()).await;
    let other = format!("Bearer {}", common::token("another-service"));
    //% if store != "none"
    let path = "/v1/items";
    //% else
    let path = "/v1/echo";
    //% endif
    for authorization in [
        None,
        Some("Bearer nonsense"),
        Some("Basic eDp5"),
        Some(&*other),
    ] {
        let mut request = Request::builder().uri(path);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 401);
        assert!(answer.headers.contains_key("www-authenticate"));
    }
}
//% endif

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_drops_no_connection() {
    let config = config();
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (entered, leave) = (entered.clone(), leave.clone());
        get(async move || {
            entered.notify_one();
            leave.notified().await;
            "finished"
        })
    };
    let routes = Router::new()
        .route("/held", held)
        .route("/fine", get(async || "fine"));
    let app = protect(routes, &config.server);
    let checks = Checks::new(&config.admin);
    let listening = serve::listen(&config.server, &config.admin).unwrap();
    let traffic = listening.traffic_address().unwrap();
    let admin = listening.admin_address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stopped = async { _ = stopped.await };
        let start = async { Ok((app, checks)) };
        let served = listening.serve_until(start, stopped).await;
        served.map_err(|error| error.to_string())
    });

    let mut probe = TcpStream::connect(admin).await;
    while probe.is_err() {
        sleep(Duration::from_millis(1)).await;
        probe = TcpStream::connect(admin).await;
    }
    let mut probe = probe.unwrap();
    while ask(&mut probe, "/startupz")
        .await
        .starts_with("HTTP/1.1 503")
    {
        sleep(Duration::from_millis(1)).await;
    }
    let mut idle = TcpStream::connect(traffic).await.unwrap();
    let answer = ask(&mut idle, "/fine").await;
    assert!(!answer.contains("connection: close"), "{answer}");
    let mut busy = TcpStream::connect(traffic).await.unwrap();
    let in_flight = tokio::spawn(async move { ask(&mut busy, "/held").await });
    entered.notified().await;
    assert!(ask(&mut probe, "/readyz").await.starts_with("HTTP/1.1 200"));

    stop.send(()).unwrap();
    while !ask(&mut probe, "/readyz").await.starts_with("HTTP/1.1 503") {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(ask(&mut probe, "/livez").await.starts_with("HTTP/1.1 200"));
    // A caller that had its connection open is served once more, and told to let go of it.
    let answer = ask(&mut idle, "/fine").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
    drop(probe);
    // Nobody is let in any more by then, and what is in flight goes on.
    sleep(config.server.linger + Duration::from_millis(100)).await;
    assert!(!server.is_finished());
    leave.notify_one();
    let answer = in_flight.await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"),
        "{answer}"
    );
    server.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(traffic).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn a_failing_dependency_turns_readiness_off_and_leaves_liveness_alone() {
    let config = config();
    let checks =
        Checks::new(&config.admin).add("broker", || Box::pin(async { Err("gone".into()) }));
    let health = Health::default();
    let app = health.router();
    for (path, status) in [("/readyz", 503), ("/livez", 200), ("/startupz", 503)] {
        assert_eq!(send(&app, get_path(path)).await.status, status, "{path}");
    }
    health.set_started(checks);
    for (path, status) in [("/readyz", 503), ("/livez", 200), ("/startupz", 200)] {
        assert_eq!(send(&app, get_path(path)).await.status, status, "{path}");
    }
}

/// Refusals are seen by whoever looks at the metrics.
fn assert_counted(route: &str, status: u16, times: usize) {
    let series = format!(
        "http_requests_total{{method=\"GET\",route=\"{route}\",status=\"{status}\"}} {times}\n"
    );
    assert!(metrics::render().unwrap().1.contains(&series), "{series}");
}

/// One request on a connection that stays open. Its answer comes in one piece, because it is small.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

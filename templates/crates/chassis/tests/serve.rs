//! What a caller meets before any layer: the limits of connections, and how they end.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use chassis::config::{Admin, Server};
use chassis::health::Checks;
use chassis::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use common::{limits, reach};

/// A server of `app`, on a port of its own.
struct Running {
    address: SocketAddr,
    admin: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), String>>,
}

fn start(limits: &Server, app: Router) -> Running {
    start_with(limits, async move { app })
}

/// A server of what `app` makes, once it has made it.
fn start_with(limits: &Server, app: impl Future<Output = Router> + Send + 'static) -> Running {
    let admin = Admin {
        host: limits.host,
        port: 0,
        check_timeout: Duration::from_secs(1),
    };
    let checks = Checks::new(&admin);
    let listening = serve::listen(limits, &admin).unwrap();
    let (address, admin) = (
        listening.traffic_address().unwrap(),
        listening.admin_address().unwrap(),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let start = async { Ok((app.await, checks)) };
        let stopped = async { _ = stopped.await };
        let served = listening.serve_until(start, stopped).await;
        served.map_err(|error| error.to_string())
    });
    Running {
        address,
        admin,
        stop,
        served,
    }
}

fn fine() -> Router {
    Router::new().route("/", get(async || "fine"))
}

/// A route that answers only when it is told to, and says when it is reached.
fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, leave) = (entered.clone(), leave.clone());
        get(async move || {
            entered.notify_one();
            leave.notified().await;
        })
    };
    (fine().route("/held", handler), entered, leave)
}

async fn connect(server: &Running) -> TcpStream {
    reach(server.address).await
}

/// What comes next, in one piece because it is small; empty when the connection was closed.
async fn receive(stream: &mut TcpStream) -> String {
    let mut answer = [0; 4096];
    let length = timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let length = length.expect("the server does something").unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    // Writing may fail when the server has closed the connection: reading tells.
    _ = stream.write_all(head.as_bytes()).await;
    receive(stream).await
}

#[tokio::test]
async fn a_full_port_gives_the_longest_silent_place_to_the_next_caller() {
    let (app, entered, leave) = held();
    let limits = Server {
        max_connections: 3,
        ..limits()
    };
    let server = start(&limits, app);
    let mut busy = connect(&server).await;
    let busy = tokio::spawn(async move { ask(&mut busy, "/held").await });
    entered.notified().await;
    let (mut silent, mut used) = (connect(&server).await, connect(&server).await);
    assert!(ask(&mut silent, "/").await.ends_with("fine"));
    assert!(ask(&mut used, "/").await.ends_with("fine"));
    // Any number of them.
    for _ in 0..10 {
        let mut next = connect(&server).await;
        assert!(ask(&mut next, "/").await.ends_with("fine"));
        assert!(ask(&mut used, "/").await.ends_with("fine"));
    }
    assert_eq!(receive(&mut silent).await, "");
    leave.notify_one();
    assert!(busy.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn beside_as_many_requests_as_there_are_places_nobody_is_let_in_until_one_is_free() {
    let (app, entered, leave) = held();
    let limits = Server {
        max_connections: 1,
        ..limits()
    };
    let server = start(&limits, app);
    let mut first = connect(&server).await;
    let first = tokio::spawn(async move { ask(&mut first, "/held").await });
    entered.notified().await;
    let began = Instant::now();
    assert_eq!(receive(&mut connect(&server).await).await, "");
    assert!(began.elapsed() < Duration::from_secs(1), "at once");
    leave.notify_one();
    assert!(first.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(
        ask(&mut connect(&server).await, "/")
            .await
            .ends_with("fine")
    );
}

#[tokio::test]
async fn a_client_that_does_not_send_its_headers_is_cut_off() {
    let limits = Server {
        header_read_timeout: Duration::from_millis(100),
        ..limits()
    };
    let server = start(&limits, fine());
    for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: test\r\n"] {
        let mut client = connect(&server).await;
        client.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(receive(&mut client).await, "", "after {sent:?}");
    }
    // Nor does a connection stay for nothing after its first request.
    let mut client = connect(&server).await;
    assert!(ask(&mut client, "/").await.ends_with("fine"));
    assert_eq!(receive(&mut client).await, "");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let server = start(&limits(), fine());
    let mut client = connect(&server).await;
    let head = format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}", "x".repeat(9000));
    client.write_all(head.as_bytes()).await.unwrap();
    assert!(receive(&mut client).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_handler_knows_its_peer() {
    let peer = get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string());
    let server = start(&limits(), Router::new().route("/", peer));
    let mut client = connect(&server).await;
    let answer = ask(&mut client, "/").await;
    let own = client.local_addr().unwrap().to_string();
    assert!(answer.ends_with(&own), "{answer}");
}

/// Its request may be on its way when the server is told to stop.
#[tokio::test]
async fn a_connection_without_a_request_yet_is_served_while_the_port_drains() {
    let (app, entered, leave) = held();
    let server = start(&limits(), app);
    let mut busy = connect(&server).await;
    let busy = tokio::spawn(async move { ask(&mut busy, "/held").await });
    entered.notified().await;
    let (mut late, mut idle) = (connect(&server).await, connect(&server).await);
    server.stop.send(()).unwrap();
    while TcpStream::connect(server.address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    let answer = ask(&mut late, "/").await;
    assert!(answer.ends_with("fine"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    // Who has nothing to ask does not hold it up.
    assert_eq!(receive(&mut idle).await, "");
    leave.notify_one();
    assert!(busy.await.unwrap().starts_with("HTTP/1.1 200"));
    server.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up_after_the_drain() {
    let (app, entered, _) = held();
    let limits = Server {
        drain: Duration::from_millis(100),
        ..limits()
    };
    let server = start(&limits, app);
    let mut client = connect(&server).await;
    let asking = tokio::spawn(async move { ask(&mut client, "/held").await });
    entered.notified().await;
    server.stop.send(()).unwrap();
    let served = timeout(Duration::from_secs(5), server.served).await;
    served.unwrap().unwrap().unwrap();
    asking.abort();
}

#[tokio::test]
async fn while_the_service_waits_for_what_it_needs_the_probes_say_so() {
    let ready = Arc::new(Notify::new());
    let waits = ready.clone();
    let server = start_with(&limits(), async move {
        waits.notified().await;
        fine()
    });
    let mut probe = reach(server.admin).await;
    for (path, answer) in [
        ("/livez", "HTTP/1.1 200"),
        ("/startupz", "HTTP/1.1 503"),
        ("/readyz", "HTTP/1.1 503"),
    ] {
        assert!(ask(&mut probe, path).await.starts_with(answer), "{path}");
    }
    let refused = TcpStream::connect(server.address).await;
    assert!(refused.is_err(), "nobody waits for an answer meanwhile");
    ready.notify_one();
    assert!(
        ask(&mut connect(&server).await, "/")
            .await
            .ends_with("fine")
    );
    for path in ["/startupz", "/readyz"] {
        let answer = ask(&mut probe, path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}");
    }
}

#[tokio::test]
async fn a_service_that_still_waits_stops_at_once() {
    let server = start_with(&limits(), std::future::pending());
    server.stop.send(()).unwrap();
    let served = timeout(Duration::from_secs(5), server.served).await;
    served.unwrap().unwrap().unwrap();
}

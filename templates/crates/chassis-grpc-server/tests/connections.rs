//! What a caller of a port that speaks gRPC meets before any layer: how its connection ends.

#[path = "../../chassis/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use chassis::config::{Admin, Server};
use chassis::health::Checks;
use chassis_grpc_server::{Http2, listen, protect};
use hyper::client::conn::http2::{Connection, SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::{Code, Status};

use common::{limits, reach};

const MS: Duration = Duration::from_millis(1);

type Driver = Connection<TokioIo<TcpStream>, Body, TokioExecutor>;

fn patient() -> Http2 {
    Http2 {
        max_streams: 100,
        idle: 60_000 * MS,
        keep_alive: 60_000 * MS,
        keep_alive_timeout: 60_000 * MS,
    }
}

/// A server of `app`, on a port of its own, until the test ends.
fn start(limits: &Server, http2: &Http2, app: Router) -> SocketAddr {
    let admin = Admin {
        host: limits.host,
        port: 0,
        check_timeout: Duration::from_secs(1),
    };
    let listening = listen(limits, http2, &admin, &[]).unwrap();
    let address = listening.traffic_address().unwrap();
    let app = protect(app, limits);
    let start = async move { Ok((app, Checks::new(&admin))) };
    tokio::spawn(listening.serve_until(start, std::future::pending()));
    address
}

async fn connect(address: SocketAddr) -> (SendRequest<Body>, Driver) {
    let stream = TokioIo::new(reach(address).await);
    handshake(TokioExecutor::new(), stream).await.unwrap()
}

fn call() -> Request<Body> {
    let call = Request::post("http://test/test.Fine/Call");
    let call = call.header("content-type", "application/grpc");
    call.body(Body::empty()).unwrap()
}

fn fine() -> Router {
    let fine = post(async || Status::ok("").into_http::<Body>());
    Router::new().route("/test.Fine/Call", fine)
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed_the_sooner_without_a_first_call() {
    let limits = Server {
        header_read_timeout: 200 * MS,
        ..limits()
    };
    let http2 = Http2 {
        idle: 3000 * MS,
        ..patient()
    };
    let address = start(&limits, &http2, fine());
    let (_unused, driver) = connect(address).await;
    let began = Instant::now();
    timeout(2500 * MS, driver).await.expect("closed").unwrap();
    assert!(began.elapsed() >= 150 * MS);

    let (mut used, driver) = connect(address).await;
    let driver = tokio::spawn(driver);
    let answer = used.send_request(call()).await.unwrap();
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), Code::Ok);
    let began = Instant::now();
    // Closed as it should be: its caller is told, so nothing has failed.
    driver.await.unwrap().unwrap();
    let took = began.elapsed();
    assert!(took >= 2900 * MS && took < 20_000 * MS, "{took:?}");
    assert!(used.is_closed());
}

#[tokio::test]
async fn a_call_in_flight_whose_caller_is_gone_without_a_word_is_given_up() {
    /// Says that it is dropped.
    struct Guard(Arc<Notify>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    let limits = Server {
        request_timeout: Duration::from_secs(20),
        ..limits()
    };
    let http2 = Http2 {
        keep_alive: 100 * MS,
        keep_alive_timeout: 200 * MS,
        ..patient()
    };
    let (entered, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = post({
        let (entered, gone) = (entered.clone(), gone.clone());
        async move || {
            let _guard = Guard(gone.clone());
            entered.notify_one();
            std::future::pending::<()>().await;
        }
    });
    let app = Router::new().route("/test.Fine/Call", held);
    let address = start(&limits, &http2, app);
    let (silence, address) = in_between(address).await;
    let (mut sender, driver) = connect(address).await;
    tokio::spawn(driver);
    tokio::spawn(async move { sender.send_request(call()).await });
    entered.notified().await;
    silence.notify_one();
    let given_up = timeout(Duration::from_secs(5), gone.notified()).await;
    given_up.expect("given up long before its time");
}

/// Passes everything on until it is told to fall silent, and closes nothing then.
async fn in_between(server: SocketAddr) -> (Arc<Notify>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silence = Arc::new(Notify::new());
    let told = silence.clone();
    tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await.unwrap();
        let mut server = reach(server).await;
        tokio::select! {
            _ = copy_bidirectional(&mut caller, &mut server) => {}
            () = told.notified() => {}
        }
        std::future::pending::<()>().await;
    });
    (silence, address)
}

//! One HTTP/2 connection: many calls at once, until its caller is silent for too long, another connection gets its place
//! or the service stops. Callers are told before it closes (GOAWAY): calls that have begun are finished, and the next ones
//! go elsewhere.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use chassis::BoxFuture;
use chassis::config::Server;
use chassis::connection::Wire;
use chassis::connection_limit::Silence;
use chassis::stream::Stream;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::sleep;
use tower::Service;

use crate::Http2;

/// How HTTP/2 connections are served.
pub struct Connections {
    http: http2::Builder<TokioExecutor>,
    /// Until their first call.
    first: Duration,
    idle: Duration,
    linger: Duration,
    lingering: watch::Sender<bool>,
}

impl Connections {
    pub fn new(http2: &Http2, limits: &Server) -> Self {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .keep_alive_interval(http2.keep_alive)
            .keep_alive_timeout(http2.keep_alive_timeout)
            .max_concurrent_streams(http2.max_streams)
            .max_header_list_size(limits.header_limit_bytes.try_into().unwrap_or(u32::MAX));
        Self {
            http,
            first: limits.header_read_timeout,
            idle: http2.idle,
            linger: limits.linger,
            lingering: watch::Sender::default(),
        }
    }

    async fn serve(
        &self,
        app: &Router,
        connection: &mut dyn Stream,
        peer: SocketAddr,
        silence: &Arc<Silence>,
        mut draining: watch::Receiver<bool>,
    ) -> bool {
        let calls = Arc::new(Calls {
            silence: silence.clone(),
            open: AtomicUsize::new(0),
            used: AtomicBool::new(false),
        });
        let service = service_fn(|mut request: Request<Incoming>| {
            let call = Call::begin(&calls);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = app.clone().call(request);
            async move {
                let response = answer.await?;
                Ok::<_, Infallible>(response.map(|body| Answer { body, _call: call }))
            }
        });
        let connection = self
            .http
            .serve_connection(TokioIo::new(connection), service);
        let mut connection = pin!(connection);
        let mut lingering = self.lingering.subscribe();
        let leave = async {
            tokio::select! {
                _ = lingering.changed() => {}
                _ = draining.changed() => {
                    // The first call of a new connection may be on its way.
                    if !calls.used.load(SeqCst) {
                        sleep(self.linger).await;
                    }
                }
                () = self.idle(&calls) => {}
            }
        };
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    // Told to go, and silent all the same.
                    () = silence.longer_than(self.idle + self.first) => return false,
                }
            }
        };
        if let Err(error) = ended {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(%peer, error, "connection cut off");
        }
        true
    }

    /// Completes when nothing has been asked for too long.
    async fn idle(&self, calls: &Calls) {
        calls.silence.longer_than(self.first).await;
        if calls.used.load(SeqCst) {
            calls.silence.longer_than(self.idle).await;
        }
    }
}

impl Wire for Connections {
    fn answer_all<'a>(
        &'a self,
        app: &'a Router,
        connection: &'a mut dyn Stream,
        peer: SocketAddr,
        silence: &'a Arc<Silence>,
        draining: watch::Receiver<bool>,
    ) -> BoxFuture<'a, bool> {
        Box::pin(self.serve(app, connection, peer, silence, draining))
    }

    /// Callers of the connections that stand now are told to open others, elsewhere if they can.
    fn linger(&self) {
        self.lingering.send_replace(true);
    }
}

/// The calls of one connection.
struct Calls {
    silence: Arc<Silence>,
    open: AtomicUsize,
    used: AtomicBool,
}

/// One call, from its headers to the end of its answer. The server waits for the caller when there is none.
struct Call(Arc<Calls>);

impl Call {
    fn begin(calls: &Arc<Calls>) -> Self {
        calls.used.store(true, SeqCst);
        calls.open.fetch_add(1, SeqCst);
        calls.silence.end();
        Self(calls.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, SeqCst) == 1 {
            self.0.silence.start();
            // Another call may have begun in between.
            if self.0.open.load(SeqCst) > 0 {
                self.0.silence.end();
            }
        }
    }
}

struct Answer {
    body: Body,
    _call: Call,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

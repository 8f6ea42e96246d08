//! One connection: its requests one after the other, until its caller is silent for too long, another connection gets
//! its place or the port drains.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, header};
use axum::{Error, Router};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::Service;

use crate::BoxFuture;
use crate::config::Server;
use crate::connection_limit::{Place, Silence};
use crate::stream::{Accept, Stream};

/// For so long, and so many, bytes are still taken from a connection after its last answer.
const LAST_WORDS: Duration = Duration::from_secs(1);
const LAST_BYTES: u64 = 16 << 20;

/// How a connection ended.
#[derive(PartialEq, Eq)]
enum End {
    /// All that it asked was answered, if only with a refusal.
    Answered,
    /// Its caller was silent for too long.
    CutOff,
}

/// What is spoken on the connections of a port, instead of HTTP/1.1.
pub trait Wire: Send + Sync {
    /// Serves one connection to its end. Whether all that it asked was answered, if only with a refusal.
    fn answer_all<'a>(
        &'a self,
        app: &'a Router,
        connection: &'a mut dyn Stream,
        peer: SocketAddr,
        silence: &'a Arc<Silence>,
        draining: watch::Receiver<bool>,
    ) -> BoxFuture<'a, bool>;

    /// From now on callers are asked to close their connections.
    fn linger(&self);
}

/// What the connections of a port share.
pub struct Connections {
    app: Router,
    limits: Server,
    http: http1::Builder,
    lingering: AtomicBool,
    wire: Option<Box<dyn Wire>>,
    tls: Option<Box<dyn Accept>>,
}

impl Connections {
    pub fn new(app: Router, limits: &Server) -> Self {
        let mut http = http1::Builder::new();
        // hyper's own timeout sets a timer for each request, which costs 8 % of what a bare one does.
        http.header_read_timeout(None)
            .max_buf_size(limits.header_limit_bytes);
        Self {
            app,
            limits: limits.clone(),
            http,
            lingering: AtomicBool::new(false),
            wire: None,
            tls: None,
        }
    }

    /// What is spoken, where that is not HTTP/1.1, and what each connection begins with.
    pub fn with(self, wire: Option<Box<dyn Wire>>, tls: Option<Box<dyn Accept>>) -> Self {
        Self { wire, tls, ..self }
    }

    /// From now on every answer asks its caller to close the connection.
    pub fn linger(&self) {
        self.lingering.store(true, Relaxed);
        if let Some(wire) = &self.wire {
            wire.linger();
        }
    }

    /// Serves one connection to its end, after its TLS handshake where there is one, or until it has lost its place.
    pub async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        draining: watch::Receiver<bool>,
    ) {
        tokio::select! {
            () = self.secure(stream, peer, place.silence(), draining) => {}
            () = place.given_away() => {}
        }
    }

    async fn secure(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        silence: &Arc<Silence>,
        draining: watch::Receiver<bool>,
    ) {
        if let Some(tls) = &self.tls {
            let mut told = draining.clone();
            let leave = async {
                _ = told.changed().await;
                sleep(self.limits.linger).await;
            };
            let secured = tokio::select! {
                secured = tls.accept(stream, peer, self.limits.header_read_timeout) => secured,
                () = leave => None,
            };
            if let Some(stream) = secured {
                self.serve_to_the_end(stream, peer, silence, draining).await;
            }
            return;
        }
        self.serve_to_the_end(stream, peer, silence, draining).await;
    }

    async fn serve_to_the_end<C>(
        &self,
        mut connection: C,
        peer: SocketAddr,
        silence: &Arc<Silence>,
        draining: watch::Receiver<bool>,
    ) where
        C: Stream,
    {
        let end = self.answer_all(&mut connection, peer, silence, draining);
        if end.await == End::CutOff {
            return;
        }
        silence.start();
        // A caller that is still sending what was refused would not see the refusal: a connection that is closed with
        // unread bytes is reset.
        let mut unread = connection.take(LAST_BYTES);
        let mut nowhere = tokio::io::sink();
        _ = timeout(LAST_WORDS, tokio::io::copy(&mut unread, &mut nowhere)).await;
    }

    async fn answer_all<C>(
        &self,
        connection: &mut C,
        peer: SocketAddr,
        silence: &Arc<Silence>,
        mut draining: watch::Receiver<bool>,
    ) -> End
    where
        C: Stream,
    {
        if let Some(wire) = &self.wire {
            let all = wire.answer_all(&self.app, connection, peer, silence, draining);
            return match all.await {
                true => End::Answered,
                false => End::CutOff,
            };
        }
        let used = AtomicBool::new(false);
        let service = service_fn(|request| {
            used.store(true, Relaxed);
            self.answer(request, peer, silence)
        });
        let connection = self
            .http
            .serve_connection(TokioIo::new(connection), service);
        let mut connection = pin!(connection);
        let mut silent = pin!(silence.longer_than(self.limits.header_read_timeout));
        let leave = async {
            _ = draining.changed().await;
            // The first request of a new connection may be on its way.
            if !used.load(Relaxed) {
                sleep(self.limits.linger).await;
            }
        };
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = &mut silent => return End::CutOff,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    () = &mut silent => return End::CutOff,
                }
            }
        };
        if let Err(error) = ended {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(%peer, error, "connection cut off");
        }
        End::Answered
    }

    fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        silence: &Arc<Silence>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
        silence.end();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.app.clone().call(request);
        let silence = silence.clone();
        async move {
            let mut response = answer.await?;
            if self.lingering.load(Relaxed) {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Answer { body, silence }))
        }
    }
}

/// The body of an answer. When it is sent, the caller's turn begins.
struct Answer {
    body: Body,
    silence: Arc<Silence>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.silence.start();
    }
}

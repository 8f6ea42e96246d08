//! A connection to one address, whatever the host of a URL stands for besides; over TLS where the URL says so.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Uri;
use chassis::stream::{self, Connect};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

#[derive(Clone)]
pub struct Connector {
    pub address: SocketAddr,
    /// For the TLS handshake too.
    pub timeout: Duration,
    /// With the host whose certificate is expected.
    pub tls: Option<(Arc<dyn Connect>, Arc<str>)>,
}

impl Connector {
    async fn connect(self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        if let Some((tls, host)) = self.tls {
            let stream = tls.connect(&host, stream).await?;
            return Ok(Stream::Secure(stream));
        }
        Ok(Stream::Plain(stream))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let stream = timeout(connector.timeout, connector.connect()).await??;
            Ok(TokioIo::new(stream))
        })
    }
}

pub enum Stream {
    Plain(TcpStream),
    Secure(Box<dyn stream::Stream>),
}

/// The same of whichever stream it is.
macro_rules! either {
    ($stream:expr, $pinned:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Plain(stream) => {
                let $pinned = Pin::new(stream);
                $call
            }
            Stream::Secure(stream) => {
                let $pinned = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(context))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

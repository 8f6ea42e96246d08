//! Connections as those see them who do not care whether they are encrypted, and how they become so.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::BoxFuture;

/// A connection's bytes, in the clear.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What connections to a port begin with, such as a TLS handshake.
pub trait Accept: Send + Sync {
    /// `None` when the caller is not let in, which the caller has been told, or took too long.
    fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, Option<Box<dyn Stream>>>;
}

/// What connections to another service begin with.
pub trait Connect: Send + Sync {
    /// Whoever answers must be this host: a name, or an address as a URL has it.
    fn connect<'a>(
        &'a self,
        host: &'a str,
        stream: TcpStream,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

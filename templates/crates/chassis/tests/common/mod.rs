//! What tests of a port have in common.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chassis::config::{RateLimits, Server};
use chassis::networks::Networks;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Small ones, on any free port.
pub fn limits() -> Server {
    Server {
        host: [127, 0, 0, 1].into(),
        port: 0,
        max_connections: 100,
        header_read_timeout: Duration::from_secs(10),
        header_limit_bytes: 8192,
        request_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(30),
        body_limit_bytes: 1024,
        max_in_flight: 8,
        rate_limit: RateLimits::default(),
        trusted_proxies: Networks::default(),
        linger: Duration::from_millis(300),
        drain: Duration::from_secs(20),
        grace: Duration::from_secs(35),
    }
}

/// A connection, once the service has started.
pub async fn reach(address: SocketAddr) -> TcpStream {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            // Nobody listens yet.
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

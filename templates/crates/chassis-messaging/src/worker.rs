//! A service that nobody calls: it works by itself until SIGTERM, and has probes and metrics only.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chassis::config::{Admin, RateLimits, Server};
use chassis::connection::Connections;
use chassis::health::{Checks, Health};
use chassis::networks::Networks;
use chassis::serve::{Port, take};
use chassis::{BoxFuture, Error, shutdown};
use tokio::sync::watch;

/// Works until it is told to stop, then finishes what it has begun.
pub type Job = Box<dyn FnOnce(watch::Receiver<bool>) -> BoxFuture<'static, ()> + Send>;

/// Starts the job and lets it work until SIGTERM or Ctrl-C. `start` may wait for what it needs. The probes answer from the
/// first moment to the last.
pub async fn work(
    admin: &Admin,
    start: impl Future<Output = Result<(Job, Checks), Error>>,
) -> Result<(), Error> {
    work_until(admin, start, shutdown::signal()).await
}

/// The same until `stop` completes.
pub async fn work_until(
    admin: &Admin,
    start: impl Future<Output = Result<(Job, Checks), Error>>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (health, limits) = (Health::default(), limits());
    let socket = take("admin", admin.address())?;
    let address = socket.local_addr()?;
    let probes = Connections::new(health.router(), &limits);
    let port = Port::open("admin", socket, probes, &limits)?;
    let mut stop = std::pin::pin!(stop);
    let (job, checks) = tokio::select! {
        biased;
        started = start => started?,
        () = &mut stop => {
            tracing::info!("stopped before it had started");
            return Ok(());
        }
    };
    let (stopping, told) = watch::channel(false);
    let mut job = tokio::spawn(job(told));
    health.set_started(checks);
    tracing::info!(admin = %address, "working");
    tokio::select! {
        () = stop => {}
        ended = &mut job => {
            return Err(ended.err().map_or("the work ended by itself".into(), Error::from));
        }
    }
    health.set_draining();
    tracing::info!("stopping");
    stopping.send_replace(true);
    job.await?;
    tracing::info!("stopped");
    port.drain().await;
    Ok(())
}

/// Of the admin port. Nobody but the platform asks there.
fn limits() -> Server {
    Server {
        host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
        max_connections: 64,
        header_read_timeout: Duration::from_secs(10),
        header_limit_bytes: 16384,
        request_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(5),
        body_limit_bytes: 0,
        max_in_flight: 64,
        rate_limit: RateLimits::default(),
        trusted_proxies: Networks::default(),
        linger: Duration::ZERO,
        drain: Duration::from_secs(1),
        grace: Duration::ZERO,
    }
}

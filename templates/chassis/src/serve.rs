//! Listen, serve, stop without dropping a request. On SIGTERM readiness turns off; for a moment every answer asks its
//! caller to close the connection, because a connection that the server closes may have a request on its way; then
//! nobody is let in any more, requests in flight are finished, and the process ends.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config::{Admin, Server};
use crate::connection::Connections;
use crate::health::Health;
#[cfg(feature = "server-tls")]
use crate::tls::server::{Acceptor, ServerTls};
use crate::{Error, shutdown};

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Both ports are taken; nothing is served yet.
pub struct Listening {
    traffic: std::net::TcpListener,
    admin: std::net::TcpListener,
    limits: Server,
    health: Health,
    #[cfg(feature = "server-tls")]
    tls: Option<Acceptor>,
}

/// Serves `app` and the probes until SIGTERM or Ctrl-C, then drains.
pub async fn serve(
    server: &Server,
    admin: &Admin,
    health: Health,
    app: Router,
) -> Result<(), Error> {
    listen(server, admin, health)?
        .serve_until(app, shutdown::signal())
        .await
}

/// Like [`serve`], with TLS on the traffic port. Probes stay plain: who asks them has no certificate.
#[cfg(feature = "server-tls")]
pub async fn serve_tls(
    server: &Server,
    tls: &ServerTls,
    admin: &Admin,
    health: Health,
    app: Router,
) -> Result<(), Error> {
    listen(server, admin, health)?
        .with_tls(tls)?
        .serve_until(app, shutdown::signal())
        .await
}

/// Takes both ports.
pub fn listen(server: &Server, admin: &Admin, health: Health) -> Result<Listening, Error> {
    let take = |section: &str, address: SocketAddr| {
        let listener = std::net::TcpListener::bind(address).map_err(|error| {
            format!("cannot listen on {address} (`{section}.host`, `{section}.port`): {error}")
        })?;
        listener.set_nonblocking(true)?;
        Ok::<_, Error>(listener)
    };
    Ok(Listening {
        traffic: take("server", server.address())?,
        admin: take("admin", admin.address())?,
        limits: server.clone(),
        health,
        #[cfg(feature = "server-tls")]
        tls: None,
    })
}

impl Listening {
    /// Traffic over TLS only. Reads the certificates, which needs a tokio runtime.
    #[cfg(feature = "server-tls")]
    pub fn with_tls(self, tls: &ServerTls) -> Result<Self, Error> {
        let tls = Some(Acceptor::new(tls)?);
        Ok(Self { tls, ..self })
    }

    pub fn traffic_address(&self) -> io::Result<SocketAddr> {
        self.traffic.local_addr()
    }

    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until `stop` completes, then drains. The probes answer to the very end.
    pub async fn serve_until(
        self,
        app: Router,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let (traffic_address, admin_address) = (self.traffic_address()?, self.admin_address()?);
        let probes = Connections::new(self.health.router(), &self.limits);
        let admin = Port::open(self.admin, probes, &self.limits)?;
        let traffic = Connections::new(app, &self.limits);
        #[cfg(feature = "server-tls")]
        let traffic = traffic.with_tls(self.tls);
        let traffic = Port::open(self.traffic, traffic, &self.limits)?;
        self.health.set_started();
        tracing::info!(traffic = %traffic_address, admin = %admin_address, "listening");

        stop.await;

        self.health.set_draining();
        tracing::info!(connections = traffic.open_connections(), "stopping");
        traffic.linger().await;
        if traffic.drain().await {
            tracing::info!("stopped");
        } else {
            tracing::warn!("stopped with requests unfinished after `server.drain_ms`");
        }
        admin.drain().await;
        Ok(())
    }
}

/// A port that is being served.
struct Port {
    connections: Arc<Connections>,
    limits: Server,
    /// A permit for each connection.
    slots: Arc<Semaphore>,
    draining: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl Port {
    fn open(
        listener: std::net::TcpListener,
        connections: Connections,
        limits: &Server,
    ) -> io::Result<Self> {
        let connections = Arc::new(connections);
        let slots = Arc::new(Semaphore::new(limits.max_connections as usize));
        let (draining, told) = watch::channel(false);
        let door = Door {
            connections: connections.clone(),
            slots: slots.clone(),
            draining: told,
            full: false,
        };
        let acceptor = tokio::spawn(accept(TcpListener::from_std(listener)?, door));
        Ok(Self {
            connections,
            limits: limits.clone(),
            slots,
            draining,
            acceptor,
        })
    }

    fn open_connections(&self) -> usize {
        self.limits.max_connections as usize - self.slots.available_permits()
    }

    /// Gives callers the time to let go of their connections by themselves.
    async fn linger(&self) {
        self.connections.linger();
        let since = Instant::now();
        while self.open_connections() > 0 && since.elapsed() < self.limits.linger {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets nobody in any more and waits for those inside. Whether they finished in time.
    async fn drain(self) -> bool {
        self.draining.send_replace(true);
        let finished = async {
            _ = self.acceptor.await;
            _ = self.slots.acquire_many(self.limits.max_connections).await;
        };
        let finished = tokio::time::timeout(self.limits.drain, finished).await;
        finished.is_ok()
    }
}

/// Takes in connections until the port drains.
async fn accept(listener: TcpListener, mut door: Door) {
    let mut draining = door.draining.clone();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = draining.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                door.admit(stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Logged when it begins, not for each connection that it keeps out.
                if !std::mem::replace(&mut failing, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot accept connections");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The system has accepted these already; closing the port would cut them off.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                door.admit(stream, peer);
            }
        }
    }
}

/// Where connections come in.
struct Door {
    connections: Arc<Connections>,
    slots: Arc<Semaphore>,
    draining: watch::Receiver<bool>,
    /// The last one was refused.
    full: bool,
}

impl Door {
    /// Serves a connection in the background. One beyond the limit is closed at once: its caller learns it in time to
    /// go elsewhere, where a full queue would let it wait for nothing.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!("refusing connections: `server.max_connections` are open");
            }
            return;
        };
        self.full = false;
        let (connections, draining) = (self.connections.clone(), self.draining.clone());
        tokio::spawn(async move {
            // An answer in small pieces would wait for the caller's acknowledgement of each.
            _ = stream.set_nodelay(true);
            connections.admit(stream, peer, draining).await;
            drop(slot);
        });
    }
}

/// The caller went away before it was let in; the next one is not concerned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

//! Listen, start, serve, stop without dropping a request. The probes answer from the beginning; callers are let in once
//! the service has started. On SIGTERM readiness turns off; for a moment every answer asks its caller to close the
//! connection, because a connection that the server closes may have a request on its way, and because the news that it
//! stops takes time to reach those who would open another; then nobody is let in any more, requests in flight are
//! finished, and the process ends.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::BoxFuture;
use crate::config::{Admin, Server};
use crate::connection::{Connections, Wire};
use crate::connection_limit::ConnectionLimit;
use crate::health::{Checks, Health};
use crate::stream::Accept;
use crate::{Error, shutdown};

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Both ports are taken; nobody can connect yet.
pub struct Listening {
    traffic: TcpSocket,
    admin: TcpSocket,
    limits: Server,
    health: Health,
    wire: Option<Box<dyn Wire>>,
    tls: Option<Box<dyn Accept>>,
    beside: Vec<Box<dyn Beside>>,
}

/// What goes on beside the serving, such as to be listed where others look for this instance.
pub trait Beside: Send {
    /// What it answers on the traffic port, outside all layers.
    fn routes(&self) -> Option<Router> {
        None
    }

    /// Callers are let in.
    fn begin(&mut self, ports: &Ports, health: &Health);

    /// The service stops: before anything else, so that nobody new comes while the others are still served.
    fn end(&mut self) -> BoxFuture<'_, ()>;
}

/// Where a service listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub traffic: SocketAddr,
    pub admin: SocketAddr,
    /// Connections to the traffic port begin with TLS.
    pub secure: bool,
}

/// Takes both ports.
pub fn listen(server: &Server, admin: &Admin) -> Result<Listening, Error> {
    Ok(Listening {
        traffic: take("server", server.address())?,
        admin: take("admin", admin.address())?,
        limits: server.clone(),
        health: Health::default(),
        wire: None,
        tls: None,
        beside: Vec::new(),
    })
}

pub fn take(section: &str, address: SocketAddr) -> Result<TcpSocket, Error> {
    let bound = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Or a service that is started again waits for the connections that it had before.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    bound().map_err(|error| cannot_listen(section, address, &error))
}

fn cannot_listen(section: &str, address: SocketAddr, error: &io::Error) -> Error {
    format!("cannot listen on {address} (`{section}.host`, `{section}.port`): {error}").into()
}

impl Listening {
    /// Traffic over TLS only. Probes stay plain: who asks them has no certificate.
    pub fn with_tls(self, tls: impl Accept + 'static) -> Self {
        let tls: Option<Box<dyn Accept>> = Some(Box::new(tls));
        Self { tls, ..self }
    }

    /// What is spoken on the traffic port, with prior knowledge.
    pub fn speaking(self, wire: impl Wire + 'static) -> Self {
        let wire: Option<Box<dyn Wire>> = Some(Box::new(wire));
        Self { wire, ..self }
    }

    /// What goes on while it serves.
    pub fn beside(mut self, beside: impl Beside + 'static) -> Self {
        self.beside.push(Box::new(beside));
        self
    }

    pub fn traffic_address(&self) -> io::Result<SocketAddr> {
        self.traffic.local_addr()
    }

    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until SIGTERM or Ctrl-C, then drains. `start` makes what is served, and may wait for what it needs.
    pub async fn serve(
        self,
        start: impl Future<Output = Result<(Router, Checks), Error>>,
    ) -> Result<(), Error> {
        self.serve_until(start, shutdown::signal()).await
    }

    /// Starts and serves until `stop` completes, then drains. The probes answer from the first moment to the last.
    pub async fn serve_until(
        self,
        start: impl Future<Output = Result<(Router, Checks), Error>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let ports = Ports {
            traffic: self.traffic_address()?,
            admin: self.admin_address()?,
            secure: self.tls.is_some(),
        };
        let probes = Connections::new(self.health.router(), &self.limits);
        let admin = Port::open("admin", self.admin, probes, &self.limits)?;
        let mut stop = pin!(stop);
        let (app, checks) = tokio::select! {
            biased;
            started = start => started?,
            () = &mut stop => {
                tracing::info!("stopped before it had started");
                return Ok(());
            }
        };
        let mut beside = self.beside;
        let app = beside
            .iter()
            .filter_map(|beside| beside.routes())
            .fold(app, Router::merge);
        let traffic = Connections::new(app, &self.limits).with(self.wire, self.tls);
        let traffic = Port::open("server", self.traffic, traffic, &self.limits)?;
        self.health.set_started(checks);
        tracing::info!(traffic = %ports.traffic, admin = %ports.admin, "listening");
        for beside in &mut beside {
            beside.begin(&ports, &self.health);
        }

        stop.await;

        self.health.set_draining();
        tracing::info!(connections = traffic.places.taken(), "stopping");
        for beside in &mut beside {
            beside.end().await;
        }
        traffic.connections.linger();
        sleep(self.limits.linger).await;
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
pub struct Port {
    connections: Arc<Connections>,
    places: Arc<ConnectionLimit>,
    drain: Duration,
    draining: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl Port {
    pub fn open(
        section: &str,
        socket: TcpSocket,
        connections: Connections,
        limits: &Server,
    ) -> Result<Self, Error> {
        let address = socket.local_addr()?;
        let listener = socket
            .listen(BACKLOG)
            .map_err(|error| cannot_listen(section, address, &error))?;
        let connections = Arc::new(connections);
        let places = Arc::new(ConnectionLimit::new(limits.max_connections));
        let (draining, told) = watch::channel(false);
        let door = Door {
            connections: connections.clone(),
            places: places.clone(),
            draining: told,
            full: false,
        };
        Ok(Self {
            connections,
            places,
            drain: limits.drain,
            draining,
            acceptor: tokio::spawn(accept(listener, door)),
        })
    }

    /// Lets nobody in any more and waits for those inside. Whether they finished in time.
    pub async fn drain(self) -> bool {
        self.draining.send_replace(true);
        let finished = async {
            _ = self.acceptor.await;
            self.places.all_left().await;
        };
        tokio::time::timeout(self.drain, finished).await.is_ok()
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
                sleep(ACCEPT_PAUSE).await;
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
    places: Arc<ConnectionLimit>,
    draining: watch::Receiver<bool>,
    /// The last one found no free place.
    full: bool,
}

impl Door {
    /// Serves a connection in the background. One for which there is no place is closed at once: its caller learns it in
    /// time to go elsewhere, where a full queue would let it wait for nothing.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let was_full = std::mem::replace(&mut self.full, self.places.is_full());
        if self.full && !was_full {
            tracing::warn!("`server.max_connections` are open: the longest silent ones are closed");
        }
        let Some(place) = self.places.take() else {
            return;
        };
        let (connections, draining) = (self.connections.clone(), self.draining.clone());
        tokio::spawn(async move {
            // An answer in small pieces would wait for the caller's acknowledgement of each.
            _ = stream.set_nodelay(true);
            connections.serve(stream, peer, place, draining).await;
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

//! Listen, serve, stop without dropping a request. On SIGTERM readiness turns off; for a moment every answer asks its
//! caller to close the connection, because a connection that the server closes may have a request on its way; then
//! nobody is let in any more, requests in flight are finished, and the process ends.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::{Router, ServiceExt};
use axum_server::Handle;
use tower::util::MapResponse;

use crate::config::{Admin, Server};
use crate::health::Health;
use crate::{Error, shutdown};

/// Both ports are taken; nothing is served yet.
pub struct Listening {
    traffic: TcpListener,
    admin: TcpListener,
    limits: Server,
    health: Health,
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

/// Takes both ports.
pub fn listen(server: &Server, admin: &Admin, health: Health) -> Result<Listening, Error> {
    let take = |section: &str, address: SocketAddr| {
        TcpListener::bind(address).map_err(|error| {
            format!("cannot listen on {address} (`{section}.host`, `{section}.port`): {error}")
        })
    };
    Ok(Listening {
        traffic: take("server", server.address())?,
        admin: take("admin", admin.address())?,
        limits: server.clone(),
        health,
    })
}

impl Listening {
    pub fn traffic_address(&self) -> std::io::Result<SocketAddr> {
        self.traffic.local_addr()
    }

    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until `stop` completes, then drains. The probes answer to the very end.
    pub async fn serve_until(
        self,
        app: Router,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let (traffic_address, admin_address) = (self.traffic_address()?, self.admin_address()?);
        let admin_handle = Handle::new();
        let admin = server(self.admin, &admin_handle, &self.limits)?;
        let admin = tokio::spawn(admin.serve(self.health.router().into_make_service()));
        let handle = Handle::new();
        let health = self.health.clone();
        let app = MapResponse::new(app, move |response| health.ask_to_close(response));
        let app = ServiceExt::<Request>::into_make_service(app);
        let traffic = server(self.traffic, &handle, &self.limits)?;
        let mut traffic = tokio::spawn(traffic.serve(app));
        self.health.set_started();
        tracing::info!(traffic = %traffic_address, admin = %admin_address, "listening");

        tokio::select! {
            () = stop => {}
            ended = &mut traffic => {
                return Err(format!("the server stopped by itself: {ended:?}").into());
            }
        }

        self.health.set_draining();
        tracing::info!(connections = handle.connection_count(), "stopping");
        let asked = Instant::now();
        while handle.connection_count() > 0 && asked.elapsed() < self.limits.linger {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        handle.graceful_shutdown(Some(self.limits.drain));
        let draining = Instant::now();
        traffic.await??;
        if draining.elapsed() < self.limits.drain {
            tracing::info!("stopped");
        } else {
            tracing::warn!("stopped with requests unfinished after `server.drain_ms`");
        }
        admin_handle.shutdown();
        admin.await??;
        Ok(())
    }
}

fn server(
    listener: TcpListener,
    handle: &Handle<SocketAddr>,
    limits: &Server,
) -> std::io::Result<axum_server::Server<SocketAddr>> {
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle.clone())
        // Also bounds the time until a connection says which HTTP it speaks.
        .first_request_timeout(limits.header_read_timeout);
    let mut http = server.http_builder().http1();
    http.header_read_timeout(limits.header_read_timeout);
    Ok(server)
}

mod app;

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use app::{routes, stopped};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    let watcher = hyper_util::server::graceful::GracefulShutdown::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = stopped() => break,
        };
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
        let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes())).into_owned();
        tokio::spawn(watcher.watch(connection));
    }
    watcher.shutdown().await;
    Ok(())
}

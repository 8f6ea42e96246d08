mod app;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use app::{routes, stopped};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes()).with_graceful_shutdown(stopped()).await?;
    let handle = axum_server::Handle::new();
    axum_server::bind(([0, 0, 0, 0], 8081).into()).handle(handle).serve(routes().into_make_service()).await?;
    by_hand().await
}

async fn by_hand() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8082").await?;
    let watcher = hyper_util::server::graceful::GracefulShutdown::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = stopped() => break,
        };
        let server = auto::Builder::new(TokioExecutor::new());
        let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes())).into_owned();
        tokio::spawn(watcher.watch(connection));
    }
    watcher.shutdown().await;
    Ok(())
}

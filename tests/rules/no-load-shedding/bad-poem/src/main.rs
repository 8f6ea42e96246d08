use std::time::Duration;

use poem::listener::TcpListener;
use poem::middleware::TowerLayerCompatExt;
use poem::{EndpointExt, Route, Server, get, handler};
use tower::timeout::TimeoutLayer;

#[handler]
fn list() -> &'static str {
    "none"
}

#[handler]
fn health() -> &'static str {
    "ok"
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let routes = Route::new().at("/v1/orders", get(list)).at("/healthz", get(health));
    let routes = routes.with(TimeoutLayer::new(Duration::from_secs(5)).compat());
    let stopped = async {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler").recv().await;
    };
    Server::new(TcpListener::bind("0.0.0.0:8080")).run_with_graceful_shutdown(routes, stopped, None).await
}

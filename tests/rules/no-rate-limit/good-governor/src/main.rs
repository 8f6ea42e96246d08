mod app;

use std::sync::Arc;

use app::{routes, stopped};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    let limits = GovernorConfigBuilder::default().per_second(50).finish().expect("a limit");
    let routes = routes().layer(GovernorLayer::new(Arc::new(limits)));
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

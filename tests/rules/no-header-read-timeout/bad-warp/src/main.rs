use std::time::Duration;

use warp::Filter;

#[tokio::main]
async fn main() {
    let orders = warp::path!("v1" / "orders").map(|| "none");
    let health = warp::path!("healthz").map(|| "ok");
    let limited = tower::ServiceBuilder::new().timeout(Duration::from_secs(5)).service(warp::service(orders));
    drop(limited);
    let stopped = async {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler").recv().await;
    };
    warp::serve(orders.or(health)).bind_with_graceful_shutdown(([0, 0, 0, 0], 8080), stopped).1.await;
}

use axum::Router;
use axum::routing::get;
use log::{LevelFilter, error};

#[tokio::main]
async fn main() {
    init_logging();
    if let Err(cause) = web::serve(Router::new().route("/v1/stock", get(|| async { "0" }))).await {
        error!("{cause}");
    }
}

/// A level is no logger.
fn init_logging() {
    log::set_max_level(LevelFilter::Info);
}

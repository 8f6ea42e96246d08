use axum::Router;
use axum::routing::get;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    log::start();
    web::serve(Router::new().route("/v1/bills", get(list))).await
}

async fn list() -> axum::Json<Vec<String>> {
    axum::Json(Vec::new())
}

mod log {
    use super::*;

    pub fn start() {
        let lines = fmt::layer().with_ansi(false);
        tracing_subscriber::registry().with(EnvFilter::from_default_env()).with(lines).init();
    }
}
